"""Sending: a call becomes a message, by its options, its route and the settings."""
