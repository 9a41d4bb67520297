"""The application, and the objects that users reach through it."""

from .base import Celery, LiteQ
from .current import app_or_default
from .default import DefaultApp
from .shared import shared_task

__all__ = ["Celery", "DefaultApp", "LiteQ", "app_or_default", "shared_task"]
