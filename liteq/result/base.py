"""The base of results of tasks and of groups: `ResultBase`."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..exceptions import IncompleteStream
from .app import App
from .backend import Backend
from .graph import DependencyGraph, Label

if TYPE_CHECKING:
    from ..model.progress import Progress
    from .status import Observation
    from .watching import Watching

KINDS: dict[str, Any] = {}
"""The classes of results of a "task" and of a "group". The package fills it, so that code which
they import can make them."""

OnInterval = Callable[[], object]
"""A function that a wait calls after each poll."""


class ResultBase:
    """The result of a task (`AsyncResult`) or of a group (`GroupResult`).

    `parent` is the result of what comes before it in a workflow.
    """

    __slots__ = ("id", "parent")

    forgiving = False  # True: what comes after it runs even if tasks of it fail

    id: Any  # a text; None for a set without a name
    parent: Any  # a ResultBase, or None; of which kind only a program knows that made the canvas

    # each kind has its own

    @property
    def backend(self) -> Backend:
        """Return the backend, which reads results."""
        raise NotImplementedError

    @property
    def children(self) -> Sequence["ResultBase"] | None:
        """Return the results of the tasks that this one started, or that it is made of."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Return whether it has finished: succeeded, failed or revoked."""
        raise NotImplementedError

    def get(self, *args: Any, **options: Any) -> Any:
        """Wait for it to finish and return its value."""
        raise NotImplementedError

    def maybe_throw(self, *args: Any, **options: Any) -> Any:
        """Raise the exception of what failed in it, if something did."""
        raise NotImplementedError

    def forget(self) -> None:
        """Delete it from the store."""
        raise NotImplementedError

    def leaves(self) -> Iterator[Any]:
        """Yield the results of the single tasks that it is made of."""
        raise NotImplementedError

    def members(self) -> "Sequence[ResultBase] | None":
        """Return the results of a group's members; None for the result of a task."""
        return None

    def init_args(self) -> tuple[Any, ...]:
        """Return the arguments with which its class makes an equal one, for pickle.

        It will have no parent, and no application of its own.
        """
        raise NotImplementedError

    # how far it has come

    @property
    def progress(self) -> "Progress | None":
        """Return how far it has come: a task if it has said so, as its last run did; a group by how
        many of its tasks have ended, and what fraction those that run have done."""
        return self.observation().look().progress

    def watch(self, timeout: float | None = None) -> "Watching":
        """Return an iterator of what becomes of it: `for status in result.watch():`, in coroutines
        `async for`.

        It yields a `Status` at once, then whenever the state or the progress has changed, and ends
        when it has finished. Raises TimeoutError when `timeout` (seconds) is over, and as `get`
        does where no worker is left.
        """
        from .watching import Watching  # few programs watch

        return Watching(self.backend, self.observation(), timeout)

    def observation(self) -> "Observation":
        """Return what looks how far it has come."""
        from .status import GroupObservation, TaskObservation

        if self.members() is None:
            return TaskObservation(self.id, self.backend)
        return GroupObservation((leaf.id for leaf in self.leaves()), self.backend)

    # its place in a workflow

    def ancestors(self) -> "list[ResultBase]":
        """Return the results of what comes before it, the first one first."""
        found: list[ResultBase] = []
        node: ResultBase | None = self.parent
        while node is not None:
            found.append(node)
            node = node.parent
        return found[::-1]

    def follow(self, parent: "ResultBase") -> "ResultBase":
        """Put it, with what comes before it, after `parent`; return the first of these results."""
        first: ResultBase = self
        while first.parent is not None:
            first = first.parent
        first.parent = parent
        return first

    def as_tuple(self) -> tuple[Any, ...]:
        """Return the ids of this result and of those before it, nested as in Celery.

        `result_from_tuple` makes the results again.
        """
        nested: tuple[Any, ...] | None = None
        for node in (*self.ancestors(), self):  # a chain may be longer than calls can be deep
            members = node.members()
            results = None if members is None else [member.as_tuple() for member in members]
            nested = (node.id, nested), results
        assert nested is not None
        return nested

    def as_list(self) -> list[Any]:
        """Return the ids of this result and of those before it, the last one first."""
        return [node.id for node in (self, *reversed(self.ancestors()))]

    def iterdeps(
        self, intermediate: bool = False
    ) -> Iterator[tuple["ResultBase | None", "ResultBase"]]:
        """Yield (parent, result) for this result and all that it started, level by level.

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
        """Yield (result, value) for this result and all that it started.

        `options` are those of `get`.
        """
        for _, node in self.iterdeps(intermediate):
            yield node, node.get(**options)

    def get_leaf(self) -> Any:
        """Return the value of the last result that `collect` yields."""
        value = None
        for _, value in self.collect():  # noqa: B007 - the last one counts
            pass
        return value

    def build_graph(
        self, intermediate: bool = False, formatter: Label | None = None
    ) -> DependencyGraph:
        """Return this result and all that it started as a graph.

        `formatter`: returns the label of a result in drawings. Raises IncompleteStream at a result
        that is not ready, unless `intermediate`.
        """
        graph = DependencyGraph(formatter or str)
        for parent, node in self.iterdeps(intermediate):
            graph.add_arc(node)
            if parent is not None:
                graph.add_edge(parent, node)
        return graph

    @property
    def graph(self) -> DependencyGraph:
        """Return `build_graph()`, once all of it is ready: `result.graph.to_dot(file)`."""
        return self.build_graph()

    def __str__(self) -> str:
        return str(self.id)

    def __reduce__(self) -> Any:
        # The process that unpickles a result has an application of its own. And a chain may be
        # longer than pickle can nest, so parents are written side by side.
        line = (*self.ancestors(), self)
        return linked, ([(type(node), node.init_args()) for node in line],)


def linked(line: Iterable[tuple[type[ResultBase], tuple[Any, ...]]]) -> ResultBase | None:
    """Make results of these classes with these arguments; return the last one.

    Each is the parent of the next. Pickled results name this function: its name stays.
    """
    parent = None
    for kind, parts in line:
        node = kind(*parts)
        node.parent = parent
        parent = node
    return parent


def result_from_tuple(found: Any, app: App | None = None) -> Any:
    """Return the result that `as_tuple` made `found` of. Lists, as JSON has them, will do.

    A result is returned as it is.
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
