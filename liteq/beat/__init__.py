"""Periodic tasks: entries in the store, and the service that fires them."""

from .service import Beat

__all__ = ["Beat"]
