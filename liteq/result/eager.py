"""The result of a task that ran in the process that called it: `EagerResult`."""

from collections.abc import Sequence
from typing import Any, TypeVar

from .. import states
from ..model.message import Message, Record
from ..states import Phase
from .app import App
from .async_result import AsyncResult
from .base import ResultBase
from .output import LogLine

R = TypeVar("R")

_PHASES = {
    states.FAILURE: Phase.FAILED,
    states.REVOKED: Phase.CANCELLED,
}


class EagerResult(AsyncResult[R]):
    """The result of a task that ran in the process that called it. The store does not know it.

    A step of a chain that was not run is `skipped`, with the exception of the step that failed.
    After a step that raised Ignore it is REVOKED.
    """

    __slots__ = ("_children",)

    _record: Record

    def __init__(
        self,
        id: str,
        ret_value: Any,
        state: str,
        traceback: str | None = None,
        name: str | None = None,
        app: App | None = None,
        *,
        reported: str | None = None,
        skipped: bool = False,
        children: Sequence[ResultBase] = (),
    ) -> None:
        super().__init__(id, app=app)
        phase = Phase.SKIPPED if skipped else _PHASES.get(state, Phase.SUCCEEDED)
        self._record = _record(id, phase, traceback, name or "", reported)
        self._value = (ret_value,)
        self._children = list(children)

    @property
    def allows_next(self) -> bool:
        """Return whether the step after it may run: it succeeded, and did not raise Ignore."""
        return self._record.phase is Phase.SUCCEEDED and self._record.reported is None

    @property
    def args(self) -> None:
        """Return None: they are not kept."""

    @property
    def kwargs(self) -> None:
        """Return None: they are not kept."""

    @property
    def children(self) -> list[ResultBase]:
        """Return the results of what the task sent, of its callbacks, and of the next step of its
        chain."""
        return self._children

    def log(self, attempt: int | None = None) -> list[LogLine]:
        """Return nothing: what it has printed is not kept."""
        return []

    def forget(self) -> None:
        """Do nothing: the store does not have it."""

    def revoke(self, *_: object, **__: object) -> None:
        """Do nothing: it has run already."""

    def reset(self) -> None:
        """Do nothing: there is no record that could be read again."""

    def init_args(self) -> tuple[Any, ...]:
        """Return the arguments for pickle: see `ResultBase`."""
        return self.id, self.result, self.state, self.traceback, self.name


def _record(
    id: str, phase: Phase, traceback: str | None, name: str, reported: str | None
) -> Record:
    message = Message(id, name, payload=b"", serializer="", queue="")
    return Record(message, phase, traceback=traceback, reported=reported)
