"""The application, and the objects that users reach through it."""

from .base import LiteQ
from .default import DefaultApp

__all__ = ["DefaultApp", "LiteQ"]
