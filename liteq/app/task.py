"""Celery's `celery.app.task`: the class of tasks, and what a running one sees of itself."""

from ..execution.context import Context
from ..task import Task

__all__ = ["Context", "Task"]
