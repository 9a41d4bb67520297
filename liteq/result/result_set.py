"""A set of results that are waited for together: `ResultSet`."""

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

from .app import App, get_current_app
from .awaiting import arrivals
from .backend import Backend
from .base import OnInterval, ResultBase
from .blocking import assert_will_not_block
from .handover import Handover, value_of
from .waiting import leaves_before, refresh, required_before, throw_first, wait_and_show


class ResultSet(ResultBase):
    """Results of tasks and groups, in order, each once. Each method reads the store only once."""

    __slots__ = ("__weakref__", "_app", "_callbacks", "results")

    id: Any
    parent: Any
    results: list[Any]

    def __init__(
        self, results: Iterable[ResultBase] | None = None, app: App | None = None, **_: Any
    ) -> None:
        self.id = self.parent = None
        self.results = list(results or ())
        self._app = app
        self._callbacks: list[Callable[[Any], object]] = []

    # the set

    def add(self, result: ResultBase) -> None:
        """Add a result, unless it is there already."""
        if result not in self.results:
            self.results.append(result)

    def remove(self, result: Any) -> None:
        """Remove a result, or the one with this id. Raises KeyError when it is not there."""
        try:
            self.results.remove(result)
        except ValueError:
            raise KeyError(result) from None

    def discard(self, result: Any) -> None:
        """Remove a result, or the one with this id, if it is there."""
        if result in self.results:
            self.results.remove(result)

    def update(self, results: Iterable[ResultBase]) -> None:
        """Add those of `results` that are not there yet."""
        known = set(self.results)
        self.results += [each for each in dict.fromkeys(results) if each not in known]

    def clear(self) -> None:
        """Remove all results."""
        self.results.clear()

    # waiting

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Callable[[str, Any], object] | None = None,
        no_ack: bool = True,
        on_message: Callable[..., object] | None = None,
        disable_sync_subtasks: bool = True,
        on_interval: OnInterval | None = None,
        progress: bool | Callable[..., Any] = False,
        **_: Any,
    ) -> list[Any]:
        """Wait for all results and return their values, in order.

        `timeout`: seconds to wait at most, for all of them. The exception of the first that fails
        is raised at once; with `propagate=False` exceptions are among the values, in place.
        `interval`: seconds between two polls of the store, in case a notification is lost.
        `callback(id, value)` is called for each, in order, as soon as it and those before it have
        finished; when `timeout` is over, for all others that have. `on_interval()` is called after
        each poll that found some missing. `progress`: draw a bar on standard error, if that is a
        terminal; or let it make one: `progress=tqdm`. `no_ack` and `on_message` do nothing.

        Raises TimeoutError when `timeout` is over, also by the time that `callback` takes, and
        RuntimeError inside a task unless `disable_sync_subtasks=False`.
        """
        arrivals = self._arrivals(
            timeout, interval, on_interval, propagate, disable_sync_subtasks, progress
        )
        if callback is None:
            for _done in arrivals:
                pass
        else:
            handover = Handover(self.results, callback, timeout, propagate)
            handover.follow(arrivals)
        values = [value_of(result, propagate) for result in self.results]
        self._call_callbacks()
        return values

    join = get
    join_native = get

    async def aget(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        disable_sync_subtasks: bool = True,
    ) -> list[Any]:
        """Wait for all results and return their values, in a coroutine; as `get` does.

        `await results` is the same, without a timeout. No thread is held meanwhile.
        """
        async for _ in self.as_completed(timeout, propagate, disable_sync_subtasks):
            pass
        values = [value_of(result, propagate) for result in self.results]
        self._call_callbacks()
        return values

    def __await__(self) -> Generator[Any, Any, list[Any]]:
        return self.aget().__await__()

    async def as_completed(
        self,
        timeout: float | None = None,
        propagate: bool = False,
        disable_sync_subtasks: bool = True,
    ) -> AsyncIterator[Any]:
        """Yield the results of the single tasks as they finish, in a coroutine; as
        `iter_completed` does."""
        wanted = list(self.leaves())
        known = [leaf for leaf in wanted if leaf.known]
        if disable_sync_subtasks and len(known) < len(wanted):
            assert_will_not_block()
        before = required_before([self, *self.results, *wanted]) if propagate else []
        for leaf in known:
            yield leaf
        async for done in arrivals(wanted, before, timeout=timeout, propagate=propagate):
            for leaf in done:
                yield leaf

    def iter_completed(
        self,
        timeout: float | None = None,
        propagate: bool = False,
        interval: float = 0.5,
        on_interval: OnInterval | None = None,
        disable_sync_subtasks: bool = True,
    ) -> Iterator[Any]:
        """Yield the results of the single tasks as they finish. Arguments are as in `get`."""
        yield from (leaf for leaf in self.leaves() if leaf.known)
        for done in self._arrivals(
            timeout, interval, on_interval, propagate, disable_sync_subtasks
        ):
            yield from done

    def iter_native(
        self,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Callable[..., object] | None = None,
        on_interval: OnInterval | None = None,
        disable_sync_subtasks: bool = True,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (id, dict) for the single tasks as they finish.

        The dict has `task_id`, `status`, `result`, `traceback` and `children`.
        """
        for leaf in self.iter_completed(
            timeout, False, interval, on_interval, disable_sync_subtasks
        ):
            yield (
                leaf.id,
                {
                    "task_id": leaf.id,
                    "status": leaf.state,
                    "result": leaf.result,
                    "traceback": leaf.traceback,
                    "children": leaf.children,
                },
            )

    def then(
        self,
        callback: Callable[["ResultSet"], object],
        on_error: Callable[[BaseException], object] | None = None,
        weak: bool = False,
    ) -> None:
        """Call `callback(self)` when `get` or `ready` finds that all have finished.

        The other arguments do nothing.
        """
        self._callbacks.append(callback)
        if all(leaf.known for leaf in self.leaves()):
            self._call_callbacks()

    def _call_callbacks(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def _arrivals(
        self,
        timeout: float | None,
        interval: float,
        on_interval: OnInterval | None,
        propagate: bool,
        disable_sync_subtasks: bool,
        progress: bool | Callable[..., Any] = False,
    ) -> Iterator[list[Any]]:
        wanted = list(self.leaves())
        if disable_sync_subtasks and not all(leaf.known for leaf in wanted):
            assert_will_not_block()
        before = required_before([self, *self.results, *wanted]) if propagate else []
        return wait_and_show(
            self,
            progress,
            wanted,
            before,
            timeout=timeout,
            interval=interval,
            on_interval=on_interval,
            propagate=propagate,
        )

    # states

    def ready(self) -> bool:
        """Return whether all have finished: succeeded, failed or revoked."""
        done = all(leaf.known_success or leaf.known_failure for leaf in self._refreshed())
        if done:
            self._call_callbacks()
        return done

    def waiting(self) -> bool:
        """Return whether one of them has not finished."""
        return not self.ready()

    def successful(self) -> bool:
        """Return whether all finished without an error."""
        return all(leaf.known_success for leaf in self._refreshed())

    def failed(self) -> bool:
        """Return whether one of them failed."""
        return any(leaf.known_failure and leaf.failed() for leaf in self._refreshed())

    def completed_count(self) -> int:
        """Return the number of results that finished without an error."""
        self._refreshed()
        return sum(all(leaf.known_success for leaf in each.leaves()) for each in self.results)

    def maybe_throw(
        self, propagate: bool = True, callback: Callable[[str, Any], object] | None = None
    ) -> None:
        """Raise the exception of the first one that failed, if one did.

        `callback(id, value)` is called for those that have finished, in order.
        """
        leaves = self._refreshed()
        if propagate:
            throw_first(leaves)
        for leaf in leaves if callback is not None else ():
            if leaf.known:
                leaf.maybe_throw(propagate, callback)

    maybe_reraise = maybe_throw

    def leaves(self) -> Iterator[Any]:
        """Yield the results of the single tasks, also those of groups among the results."""
        for result in self.results:
            yield from result.leaves()

    def _refreshed(self) -> list[Any]:
        leaves = list(self.leaves())
        refresh(leaves)
        return leaves

    # acting

    def forget(self) -> None:
        """Delete those tasks from the store that have finished."""
        leaves = list(self.leaves())
        for leaf in leaves:
            leaf.reset()
        if leaves:
            self.backend.broker.forget([leaf.id for leaf in leaves])

    def revoke(
        self,
        connection: object = None,
        terminate: bool = False,
        signal: object = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Revoke all tasks, and those before them, in one transaction: see `AsyncResult.revoke`.

        Only `terminate` has an effect.
        """
        leaves = list(self.leaves())
        leaves += leaves_before([self, *self.results, *leaves])
        ids = [leaf.id for leaf in leaves if not leaf.known]
        if not leaves and self.id is not None:
            ids = [self.id]  # the store is asked for its members
        if ids:
            self.app.control.revoke(ids, terminate=terminate, workflow=True)

    # itself

    @property
    def app(self) -> App:
        """Return the application: the one it was made with, that of the results, or the current
        one."""
        if self._app is None:
            self._app = self.results[0].app if self.results else get_current_app()
        return self._app

    @app.setter
    def app(self, app: App) -> None:
        self._app = app

    @property
    def backend(self) -> Backend:
        """Return the backend, which reads results."""
        return self.app.backend

    supports_native_join = True

    def members(self) -> Sequence[ResultBase]:
        """Return the results."""
        return self.results

    @property
    def children(self) -> Sequence[ResultBase]:
        """Return the results."""
        return self.results

    def init_args(self) -> tuple[Any, ...]:
        """Return the arguments for pickle: see `ResultBase`."""
        return (self.results,)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: int) -> Any:
        return self.results[index]

    def __contains__(self, result: object) -> bool:
        return result in self.results

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResultSet) and other.results == self.results

    __hash__: Any = None

    def __repr__(self) -> str:
        ids = ", ".join(str(result) for result in self.results)
        return f"<{type(self).__name__}: [{ids}]>"
