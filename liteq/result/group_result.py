"""The result of a group: `GroupResult`."""

from collections.abc import Iterable
from typing import Any

from .base import ResultBase
from .result_set import ResultSet


class GroupResult(ResultSet):
    """The results of a group's members, in order. It has an id of its own."""

    __slots__ = ("forgiving", "id")

    def __init__(
        self,
        id: str | None = None,
        results: Iterable[ResultBase] | None = None,
        parent: ResultBase | None = None,
        app: Any = None,
        forgiving: bool = False,
        **_: Any,
    ) -> None:
        super().__init__(results, app)
        self.forgiving = forgiving
        self.id = id
        self.parent = parent

    def made_from(self) -> tuple[Any, ...]:
        """See `ResultBase`."""
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
