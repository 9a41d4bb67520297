"""Reading and waiting for many results at once."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import Any, Protocol

from ..exceptions import TimeoutError
from ..model.message import Record
from ..states import Phase
from .backend import Backend, state_of
from .base import OnInterval, ResultBase

SHOW_EVERY = 0.2
"""Seconds between two polls of a wait that shows how far its tasks have come."""

_CHECK_EVERY = 0.5  # seconds between two checks of what comes before, at least
_CHECK_PAUSE = 10  # and at least so many times as long as a check takes


class TaskResult(Protocol):
    """The result of a single task, as far as waiting for it needs: `AsyncResult` is one."""

    id: str

    @property
    def backend(self) -> Backend: ...
    @property
    def known(self) -> bool: ...
    @property
    def known_failure(self) -> bool: ...
    @property
    def known_skipped(self) -> bool: ...
    @property
    def state(self) -> str: ...
    def exists(self) -> bool: ...
    def maybe_throw(self) -> Any: ...
    def set_record(self, record: Record, value: tuple[Any] | None = None) -> None: ...


def refresh(results: Iterable[TaskResult]) -> None:
    """Read the store once for all those `results` that are not known to have finished."""
    unknown = by_id(results)
    if unknown:
        backend = next(iter(unknown.values()))[0].backend
        _set_records(unknown, backend.finished(list(unknown)))


def throw_first(results: Iterable[TaskResult]) -> None:
    """Raise the exception of the first of `results` that is known to have failed."""
    for result in results:
        if result.known_failure:
            result.maybe_throw()


def refresh_and_throw(before: Sequence[TaskResult]) -> None:
    """Read the store for the results `before`; raise the exception of the first that failed."""
    refresh(before)
    throw_first(before)


def wait_for(
    wanted: Sequence[TaskResult],
    before: Sequence[TaskResult] = (),
    *,
    timeout: float | None,
    interval: float,
    on_interval: OnInterval | None = None,
    propagate: bool = True,
) -> Iterator[list[TaskResult]]:
    """Wait for the results `wanted` to finish; yield those that did, after each poll.

    With `propagate` the exception of one that fails is raised at once. For one that was skipped,
    that of the first of `before` that failed is raised.

    Raises TimeoutError when `timeout` seconds are over, and when it waits without a timeout for
    what no worker will run: those inside this program have ended, and no other is up.
    """
    if propagate:
        _throw_first(wanted, before)
    missing = by_id(wanted)
    if not missing:
        return
    backend = wanted[0].backend
    next_check = 0.0
    alone = on_interval is None and not before  # else there is something to do after each poll
    for records in backend.watch(missing, timeout, interval, shared=alone):
        done = _set_records(missing, records)
        if propagate and any(result.known_failure for result in done):
            _throw_first(wanted, before)
        yield done
        if not missing:
            return
        # The store ends tasks that can no longer run, but the body of a chord only when the last
        # task of its header ends; and it cannot end tasks that it does not have.
        began = time.monotonic()
        if propagate and before and began >= next_check:
            refresh_and_throw(before)
            next_check = began + max(_CHECK_EVERY, _CHECK_PAUSE * (time.monotonic() - began))
        if on_interval is not None:
            on_interval()
    raise TimeoutError(timeout_text(missing, timeout, backend.embedded.nobody_left()))


def wait_and_show(
    result: Any,
    progress: bool | Callable[..., Any],
    wanted: Sequence[TaskResult],
    before: Sequence[TaskResult] = (),
    *,
    timeout: float | None,
    interval: float,
    on_interval: OnInterval | None = None,
    propagate: bool = True,
) -> Iterator[list[TaskResult]]:
    """Wait as `wait_for` does, and draw meanwhile how far `result` has come, as `progress` says."""
    with shown(result, progress, on_interval) as turn:
        yield from wait_for(
            wanted,
            before,
            timeout=timeout,
            interval=interval if turn is on_interval else min(interval, SHOW_EVERY),
            on_interval=turn,
            propagate=propagate,
        )


@contextmanager
def shown(
    result: Any, progress: bool | Callable[..., Any], then: OnInterval | None = None
) -> Iterator[OnInterval | None]:
    """Yield what is to be called after each poll: it draws how far `result` has come, as `progress`
    says (see `get`), and calls `then`; `then` itself where nothing is drawn."""
    if not progress:
        yield then
        return
    from .bar import Drawing, make_bar  # few programs draw

    bar = make_bar(progress)
    if bar is None:
        yield then
        return
    drawing = Drawing(result.observation(), bar)

    def turn() -> None:
        drawing.turn()
        if then is not None:
            then()

    try:
        yield turn
    finally:
        drawing.close()


def _throw_first(wanted: Sequence[TaskResult], before: Sequence[TaskResult]) -> None:
    if any(result.known_skipped for result in wanted):
        refresh_and_throw(before)
    throw_first(wanted)


def leaves_before(results: Iterable[ResultBase]) -> list[Any]:
    """Return the results of all tasks that come before any of `results`, in order, each once."""
    return _all_before(results, forgiven=True)


def required_before(results: Iterable[ResultBase]) -> list[Any]:
    """Return the same, without those of groups that forgive failures."""
    return _all_before(results, forgiven=False)


def _all_before(results: Iterable[ResultBase], *, forgiven: bool) -> list[Any]:
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for result in results:
        _find_before(result, found, seen, forgiven)
    return list(found.values())


def _find_before(result: ResultBase, found: dict[str, Any], seen: set[int], forgiven: bool) -> None:
    if result.parent is None or id(result.parent) in seen:
        return
    for ancestor in result.ancestors():
        seen.add(id(ancestor))
        for leaf in ancestor.leaves() if forgiven or not ancestor.forgiving else ():
            if leaf is not ancestor:  # the member of a group may be the last step of a chain
                _find_before(leaf, found, seen, forgiven)
            found[leaf.id] = leaf


def by_id(results: Iterable[TaskResult]) -> dict[str, list[TaskResult]]:
    """Return those `results` that are not known to have finished, by the ids of their tasks."""
    unknown: dict[str, list[TaskResult]] = {}
    for result in results:
        if not result.known:
            unknown.setdefault(result.id, []).append(result)
    return unknown


def _set_records(
    missing: dict[str, list[TaskResult]], records: Iterable[Record]
) -> list[TaskResult]:
    """Give the results in `missing` their records; return those results."""
    done: list[TaskResult] = []
    for record in records:
        for result in missing.pop(record.message.id):
            result.set_record(record)
            done.append(result)
    return done


def timeout_text(
    missing: dict[str, list[TaskResult]], timeout: float | None, ended: str | None
) -> str:
    """Return what did not end in time, and why, as far as the store tells."""
    within, after = "", ""
    if timeout is not None:
        within, after = f" within {timeout} seconds", f" after {timeout} seconds"
    hint = "" if ended is None else f" (no worker is up: that of this program {ended})"
    if len(missing) > 1:
        return f"{len(missing)} results did not come{within}{hint}"
    ((result, *_), *_) = missing.values()
    state, why = _whereabouts(result)
    return f"{result.id} is {state}{after}{hint or why}"


def _whereabouts(result: TaskResult) -> tuple[str, str]:
    """Return in which state a task is that does not end, and why, as far as the store tells."""
    from ..brokers.serving import why_unclaimed  # only a timeout asks

    broker = result.backend.broker
    record = result.backend.record(result.id)
    if record is None:
        return state_of(None), " (the store does not know it)"
    if record.phase is Phase.RUNNING and record.reported is None:
        return f"running on {record.worker}" if record.worker else "running", ""
    why = None
    if record.phase is Phase.READY:
        why = why_unclaimed(broker, record.message.queue, record.message.task, UTC)
    return state_of(record), f" ({why})" if why else ""
