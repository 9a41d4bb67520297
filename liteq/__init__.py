"""liteq: a task queue to embed, with Celery's API."""

from .app import LiteQ
from .canvas import Signature, maybe_signature, signature, subtask
from .context import Context
from .current import current_app, current_task
from .message import new_id as uuid
from .result import AsyncResult
from .shared import shared_task
from .task import Task
from .version import __version__

__all__ = [
    "AsyncResult",
    "Context",
    "LiteQ",
    "Signature",
    "Task",
    "__version__",
    "current_app",
    "current_task",
    "maybe_signature",
    "shared_task",
    "signature",
    "subtask",
    "uuid",
]
