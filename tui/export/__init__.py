"""Samples and rows in the forms that other programs read."""
