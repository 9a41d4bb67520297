"""The rules where nothing may wait for a task: in a task, unless it is allowed, and in imports."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..exceptions import TransactionError
from ..execution.context import current_run
from ..sending.blocks import open_blocks
from ..support.childprocess import is_importing_application

_NESTED = (
    "get() inside a task would wait for another task and hold a slot of the worker meanwhile; with "
    "all slots waiting, nothing runs. Send a follow-up task instead, or say "
    "get(disable_sync_subtasks=False)"
)

_IMPORTING = (
    "get() in a module that a child process of a worker imports: the child runs tasks only after "
    "that, and would wait for ever. Send the task and wait for it where children do not come by: "
    'call it in a function, or below `if __name__ == "__main__":`'
)

_IN_TRANSACTION = (
    "get() inside the transaction of {}: what is sent in it runs after the commit, and other tasks "
    "end after it if they need the same database. Wait after the block"
)

_may_join: ContextVar[bool] = ContextVar("liteq_may_join", default=False)


@contextmanager
def allow_join_result() -> Iterator[None]:
    """Allow tasks to wait for results in this block."""
    token = _may_join.set(True)
    try:
        yield
    finally:
        _may_join.reset(token)


@contextmanager
def denied_join_result() -> Iterator[None]:
    """Forbid tasks to wait for results in this block, which is the default."""
    token = _may_join.set(False)
    try:
        yield
    finally:
        _may_join.reset(token)


def assert_will_not_block() -> None:
    """Raise RuntimeError inside a task of a worker, unless in a block of `allow_join_result`."""
    context = current_run()
    if context is not None and context.in_worker and not _may_join.get():
        raise RuntimeError(_NESTED)


def assert_can_be_run() -> None:
    """Raise RuntimeError in a child process that still imports the application.

    Raises TransactionError in a block of `app.transaction`.
    """
    if is_importing_application():
        raise RuntimeError(_IMPORTING)
    if blocks := open_blocks():
        raise TransactionError(_IN_TRANSACTION.format(blocks[0].place))
