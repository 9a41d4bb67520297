"""What results of tasks and of groups have in common."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..exceptions import IncompleteStream
from .app import App
from .backend import Backend
from .graph import DependencyGraph, Label

KINDS: dict[str, Any] = {}
"""The classes of results, by what they are of: filled by the package, so that they can make each
other."""

OnInterval = Callable[[], object]


class ResultBase:
    """A result: of a task (`AsyncResult`) or of a group (`GroupResult`).

    `parent` is the result of what came before it in a workflow.
    """

    __slots__ = ("id", "parent")

    forgiving = False  # what comes after it runs even if tasks of it fail

    id: Any  # a text; None for a set without a name
    parent: Any  # a ResultBase, or None; of which kind only a program knows that made the canvas

    # what each kind says

    @property
    def backend(self) -> Backend:
        """Where results are read."""
        raise NotImplementedError

    @property
    def children(self) -> Sequence["ResultBase"] | None:
        """Results of what this one led to."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it has finished, in whatever way."""
        raise NotImplementedError

    def get(self, *args: Any, **options: Any) -> Any:
        """Wait for it to finish and return its value."""
        raise NotImplementedError

    def maybe_throw(self, *args: Any, **options: Any) -> Any:
        """Raise what it failed with, if it did."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop what is stored of it."""
        raise NotImplementedError

    def leaves(self) -> Iterator[Any]:
        """The results of single tasks that it is made of."""
        raise NotImplementedError

    def members(self) -> "Sequence[ResultBase] | None":
        """The results of a group's members; None for the result of a task."""
        return None

    def init_args(self) -> tuple[Any, ...]:
        """What its class makes one like it from, without parents and without an application."""
        raise NotImplementedError

    # where it stands in a workflow

    def ancestors(self) -> "list[ResultBase]":
        """What came before it, from the first on."""
        found: list[ResultBase] = []
        node: ResultBase | None = self.parent
        while node is not None:
            found.append(node)
            node = node.parent
        return found[::-1]

    def follow(self, parent: "ResultBase") -> "ResultBase":
        """Say that all this comes after `parent`; answer the first of this."""
        first: ResultBase = self
        while first.parent is not None:
            first = first.parent
        first.parent = parent
        return first

    def as_tuple(self) -> tuple[Any, ...]:
        """The ids of this and of what came before, nested as Celery has them.

        `result_from_tuple` makes a result of that again.
        """
        nested: tuple[Any, ...] | None = None
        for node in (*self.ancestors(), self):  # a chain may be longer than calls can be deep
            members = node.members()
            results = None if members is None else [member.as_tuple() for member in members]
            nested = (node.id, nested), results
        assert nested is not None
        return nested

    def as_list(self) -> list[Any]:
        """The ids of this result and of those before it, the last one first."""
        return [node.id for node in (self, *reversed(self.ancestors()))]

    def iterdeps(
        self, intermediate: bool = False
    ) -> Iterator[tuple["ResultBase | None", "ResultBase"]]:
        """Yield (parent, result) for this result and all that it led to, level by level.

        Raises IncompleteStream at one that is not ready, unless `intermediate`.
        """
        waiting: deque[tuple[ResultBase | None, ResultBase]] = deque([(None, self)])
        while waiting:
            parent, node = waiting.popleft()
            yield parent, node
            if node.ready():
                waiting.extend((node, child) for child in node.children or ())
            elif not intermediate:
                raise IncompleteStream(f"{node} is not ready")

    def collect(
        self, intermediate: bool = False, **options: Any
    ) -> Iterator[tuple["ResultBase", Any]]:
        """Yield (result, value) for this result and all that it led to. `options` as of `get`."""
        for _, node in self.iterdeps(intermediate):
            yield node, node.get(**options)

    def get_leaf(self) -> Any:
        """The value of the last result that this one led to."""
        value = None
        for _, value in self.collect():  # noqa: B007 - the last one counts
            pass
        return value

    def build_graph(
        self, intermediate: bool = False, formatter: Label | None = None
    ) -> DependencyGraph:
        """What this result led to, as a graph. `formatter`: names a result in drawings."""
        graph = DependencyGraph(formatter or str)
        for parent, node in self.iterdeps(intermediate):
            graph.add_arc(node)
            if parent is not None:
                graph.add_edge(parent, node)
        return graph

    @property
    def graph(self) -> DependencyGraph:
        """The same, when all of it is ready: `result.graph.to_dot(file)`."""
        return self.build_graph()

    def __str__(self) -> str:
        return str(self.id)

    def __reduce__(self) -> Any:
        # Whoever reads a pickled result has an application of his own. And a chain may be longer
        # than pickle can be deep, so parents are written side by side.
        line = (*self.ancestors(), self)
        return linked, ([(type(node), node.init_args()) for node in line],)


def linked(line: Iterable[tuple[type[ResultBase], tuple[Any, ...]]]) -> ResultBase | None:
    """The results of these classes, made from these; each is the parent of the next."""
    parent = None
    for kind, parts in line:
        node = kind(*parts)
        node.parent = parent
        parent = node
    return parent


def result_from_tuple(found: Any, app: App | None = None) -> Any:
    """The result that `as_tuple` was asked of; lists will do, as JSON has them.

    A result is answered as it is.
    """
    if isinstance(found, ResultBase):
        return found
    line: list[tuple[type[ResultBase], tuple[Any, ...]]] = []
    while found is not None:  # a chain may be longer than calls can be deep
        (id, before), members = found
        if members is None:
            line.append((KINDS["task"], (id, None, None, app)))
        else:
            results = [result_from_tuple(member, app) for member in members]
            line.append((KINDS["group"], (id, results, None, app)))
        found = before
    return linked(reversed(line))
