"""Results: what callers get for tasks and groups that they send."""

from .async_result import AsyncResult
from .base import KINDS, ResultBase, result_from_tuple
from .blocking import allow_join_result, assert_will_not_block, denied_join_result
from .eager import EagerResult
from .graph import DependencyGraph
from .group_result import GroupResult
from .output import LogLine
from .result_set import ResultSet

KINDS.update(task=AsyncResult, group=GroupResult)

__all__ = [
    "AsyncResult",
    "DependencyGraph",
    "EagerResult",
    "GroupResult",
    "LogLine",
    "ResultBase",
    "ResultSet",
    "allow_join_result",
    "assert_will_not_block",
    "denied_join_result",
    "result_from_tuple",
]
