"""Reusable views. Knows no screen, no collector and no kernel."""
