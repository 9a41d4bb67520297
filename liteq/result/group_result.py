"""The result of a group: `GroupResult`."""

from collections.abc import Iterable
from typing import Any

from ..sending.options import Named
from .app import App, get_current_app
from .base import ResultBase, result_from_tuple
from .result_set import ResultSet

ACCUMULATE = "celery.accumulate"
"""The name of a task that returns its argument: see `canvas/builtins.py`."""


class GroupResult(ResultSet):
    """The results of a group's members, in order, with the id of the group."""

    __slots__ = ("forgiving",)

    forgiving: bool

    def __init__(
        self,
        id: str | None = None,
        results: Iterable[ResultBase] | None = None,
        parent: ResultBase | None = None,
        app: App | None = None,
        forgiving: bool = False,
        **_: Any,
    ) -> None:
        super().__init__(results, app)
        self.forgiving = forgiving
        self.id = id
        self.parent = parent

    def save(self, backend: Any = None) -> None:
        """Save the ids of the members in the store, for as long as results are kept.

        They are the argument of a task with the group's id. `backend` does nothing.
        """
        self.delete()
        self.app.producer.send(Named(ACCUMULATE), (self.as_tuple(),), {}, {"task_id": self.id})

    def delete(self, backend: Any = None) -> None:
        """Delete what `save` saved. `backend` does nothing."""
        broker = self.backend.broker
        broker.cancel([self.id], None)
        broker.forget([self.id])

    @classmethod
    def restore(cls, id: str, backend: Any = None, app: App | None = None) -> "GroupResult | None":
        """Return the result of the group that was saved with this id; None when there is none."""
        app = app or get_current_app()
        record = app.backend.record(id)
        if record is None or record.message.task != ACCUMULATE:
            return None
        (found,), _ = app.backend.arguments(record)
        restored: GroupResult = result_from_tuple(found, app)
        return restored

    def init_args(self) -> tuple[Any, ...]:
        """Return the arguments for pickle: see `ResultBase`."""
        return self.id, self.results

    def __bool__(self) -> bool:
        return bool(self.id or self.results)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, GroupResult):
            same = (other.id, other.results, other.parent) == (self.id, self.results, self.parent)
            return bool(same)
        return isinstance(other, str) and other == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        ids = ", ".join(str(result) for result in self.results)
        return f"<{type(self).__name__}: {self.id} [{ids}]>"


class GroupResults:
    """The results of groups of `app`: Celery's `app.GroupResult`."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(
        self, id: str | None = None, results: Iterable[ResultBase] | None = None, **options: Any
    ) -> GroupResult:
        """Return the result of the group `id`, whose members have `results`."""
        return GroupResult(id, results, app=self._app, **options)

    def restore(self, id: str, backend: Any = None) -> GroupResult | None:
        """Return the result of the group that was saved with this id; None when there is none."""
        return GroupResult.restore(id, app=self._app)
