"""Celery's `celery.utils`, as far as programs use it."""

from functools import cached_property

from ..model.message import new_id as uuid
from .functional import chunks, maybe_list, noop

gen_unique_id = uuid  # its old name

__all__ = ["cached_property", "chunks", "gen_unique_id", "maybe_list", "noop", "uuid"]
