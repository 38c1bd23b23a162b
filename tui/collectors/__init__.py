"""The tasks that turn kernel state into samples: plain frozen data that screens, commands and files all consume."""
