"""How the tasks of a workflow hang together, as values: a store keeps them whole or not at all.

A task waits for at most one thing: another task, or a group of them. Of a group, whose members
are tasks and other groups, the last one to end wakes what waits for it.
"""

from typing import Any, NamedTuple, Self

from .message import Message


class Place(NamedTuple):
    """Where a task stands in its workflow."""

    waits: str | None = None  # for the task, or with `barrier` for the group, of this id
    barrier: bool = False
    on_failure: int = 0  # 1: it runs only if what it waits for fails; 2: or is skipped for a group
    takes: bool = False  # what it waits for comes before its own arguments
    group: str | None = None  # the group that it is a member of
    position: int = 0  # among the members
    followed: bool = False  # others wait for it
    delay: float | None = None  # seconds to wait once what it waits for has ended


ALONE = Place()


class Group(NamedTuple):
    """Tasks of which the last one to end wakes what waits for them all."""

    id: str
    outer: str | None = None  # the group that it is a member of itself
    position: int = 0
    forgiving: bool = False  # what waits for it runs even if members fail


class Members(NamedTuple):
    """What is in a group, by id."""

    tasks: list[str]
    groups: list[str]
    outer: str | None = None  # the group that it is in itself


class Graph(NamedTuple):
    """A workflow that is stored in one transaction; `places` are those of `messages`, in order."""

    messages: tuple[Message, ...] = ()
    places: tuple[Place, ...] = ()
    groups: tuple[Group, ...] = ()

    def wire(self) -> tuple[Any, ...]:
        """Plain tuples, for the stream between a child and its supervisor."""
        return tuple(tuple(map(tuple, part)) for part in self)

    @classmethod
    def unwired(cls, parts: Any) -> Self:
        """The graph that `wire` made `parts` of."""
        messages, places, groups = parts
        return cls(
            tuple(map(Message._make, messages)),
            tuple(map(Place._make, places)),
            tuple(map(Group._make, groups)),
        )
