"""Celery's `celery.local`: objects that stand for others."""

from .app.current import Proxy

__all__ = ["Proxy"]
