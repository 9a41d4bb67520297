"""Helpers that every part of the package may use, and that know nothing of tasks."""
