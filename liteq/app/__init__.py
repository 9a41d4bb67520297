"""The application, and the objects that users reach through it."""

from .base import LiteQ

__all__ = ["LiteQ"]
