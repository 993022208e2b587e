"""Releases in a row, as text."""
