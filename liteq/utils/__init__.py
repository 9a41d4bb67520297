"""Celery's `celery.utils`, as far as programs use it."""

from ..model.message import new_id as uuid

__all__ = ["uuid"]
