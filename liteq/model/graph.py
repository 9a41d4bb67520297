"""The graph of a workflow: its tasks, and which of them wait for which.

A task waits for at most one thing: another task, or a group. The members of a group are tasks and
other groups; the last of them to end wakes the tasks that wait for the group.
"""

from typing import Any, NamedTuple, Self

from .message import Message


class Place(NamedTuple):
    """The place of a task in its workflow."""

    waits: str | None = None  # the id of the task that it waits for, or with `barrier` of the group
    barrier: bool = False
    on_failure: int = 0  # 1: runs only if what it waits for fails; 2: also if that is skipped
    # because a group failed
    takes: bool = False  # the result of what it waits for is put before its own arguments
    group: str | None = None  # the group that it is a member of
    position: int = 0  # among the members
    followed: bool = False  # other tasks wait for it
    delay: float | None = None  # seconds to wait once what it waits for has ended

    @property
    def tied(self) -> bool:
        """Return whether something follows from the end of the task.

        Others wait for it, or are in a group with it, or the members of a group that it waited for
        may be deleted then.
        """
        return self.followed or self.barrier or self.group is not None

    def replaced(self, after: "Place") -> "Place":
        """Return the place of this task once others run in its place, which it follows as `after`.

        What it waited for before has ended, and what it took from there is in their arguments.
        """
        place = self
        if after.waits is not None:
            place = self._replace(waits=after.waits, barrier=after.barrier)
        return place._replace(takes=after.takes, on_failure=0, followed=True)


ALONE = Place()


class Group(NamedTuple):
    """A group of tasks and groups that others can wait for as a whole."""

    id: str
    outer: str | None = None  # the group that it is a member of
    position: int = 0
    forgiving: bool = False  # the tasks that wait for it run even if members fail


class Members(NamedTuple):
    """The ids of the members of a group."""

    tasks: list[str]
    groups: list[str]
    outer: str | None = None  # the group that it is a member of


class Graph(NamedTuple):
    """A workflow, stored in one transaction; `places` are those of `messages`, in order."""

    messages: tuple[Message, ...] = ()
    places: tuple[Place, ...] = ()
    groups: tuple[Group, ...] = ()

    def to_tuples(self) -> tuple[Any, ...]:
        """Return the graph as plain tuples, for the stream from a child to its supervisor."""
        return tuple(tuple(map(tuple, part)) for part in self)

    @classmethod
    def from_tuples(cls, parts: Any) -> Self:
        """Return the graph from the result of `to_tuples`."""
        messages, places, groups = parts
        return cls(
            tuple(map(Message._make, messages)),
            tuple(map(Place._make, places)),
            tuple(map(Group._make, groups)),
        )
