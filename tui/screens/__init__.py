"""What a person sees and presses: one file and one style sheet per screen."""
