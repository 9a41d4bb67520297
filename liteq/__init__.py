"""liteq: a task queue to embed, with Celery's API."""

from .app import Celery, LiteQ
from .app.current import current_app, current_task
from .app.shared import shared_task
from .canvas import (
    Signature,
    chain,
    chord,
    chunks,
    group,
    maybe_signature,
    signature,
    subtask,
    xmap,
    xstarmap,
)
from .exceptions import Snooze
from .execution.context import Context
from .model.message import new_id as uuid
from .result import AsyncResult, GroupResult, ResultSet
from .sending.unique import Unique
from .task import Task
from .version import __version__

__all__ = [
    "AsyncResult",
    "Celery",
    "Context",
    "GroupResult",
    "LiteQ",
    "ResultSet",
    "Signature",
    "Snooze",
    "Task",
    "Unique",
    "__version__",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_task",
    "group",
    "maybe_signature",
    "shared_task",
    "signature",
    "subtask",
    "uuid",
    "xmap",
    "xstarmap",
]
