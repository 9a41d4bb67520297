"""The application, and what users reach through it."""

from .base import LiteQ

__all__ = ["LiteQ"]
