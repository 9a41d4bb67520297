"""Learns what the store knows of many results at once, and waits for them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..backend import Backend
from ..exceptions import TimeoutError
from ..message import Record
from .base import OnInterval, ResultBase


def learn(results: Iterable[Any]) -> None:
    """Look once, in one go, for all `results` of tasks that were not known to have finished."""
    unknown = _by_id(results)
    if unknown:
        backend = next(iter(unknown.values()))[0].backend
        _tell(unknown, backend.finished(unknown))


def throw(results: Iterable[Any]) -> None:
    """Raise what the first of `results` failed with that is known to have failed."""
    for result in results:
        if result.went_wrong:
            result.maybe_throw()


def wait_for(
    wanted: Sequence[Any],
    before: Sequence[Any] = (),
    *,
    timeout: float | None,
    interval: float,
    on_interval: OnInterval | None = None,
    propagate: bool = True,
) -> Iterator[list[Any]]:
    """Wait for the results `wanted` to finish; yield those that did, after each look.

    Should one of them fail, or one of those that come `before` them, that is raised at once, if
    `propagate`; of several that are known to have failed, the one that comes first.

    Raises TimeoutError when `timeout` seconds are over.
    """
    order = [*before, *wanted] if propagate else list(wanted)
    if propagate:
        throw(order)
    unknown, missing = _by_id(order), _by_id(wanted)
    if not missing:
        return
    backend: Backend = wanted[0].backend
    for records in backend.watch(unknown, timeout, interval):
        if _tell(unknown, records) and propagate:
            learn(before)  # it may have failed because of one that was not looked at yet
            throw(order)
        done = [missing.pop(r.message.id) for r in records if r.message.id in missing]
        yield [result for same in done for result in same]
        if not missing:
            return
        if on_interval is not None:
            on_interval()
    raise TimeoutError(_late(missing, timeout))


def leaves_before(results: Iterable[ResultBase]) -> list[Any]:
    """The results of all tasks that come before any of `results`, from the first on; each once."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for result in results:
        _find_before(result, found, seen)
    return list(found.values())


def _find_before(result: ResultBase, found: dict[str, Any], seen: set[int]) -> None:
    if result.parent is None or id(result.parent) in seen:
        return
    for ancestor in result.ancestors():
        seen.add(id(ancestor))
        for leaf in ancestor.leaves():
            if leaf is not ancestor:  # the member of a group may be the end of a chain
                _find_before(leaf, found, seen)
            found[leaf.id] = leaf


def _by_id(results: Iterable[Any]) -> dict[str, list[Any]]:
    unknown: dict[str, list[Any]] = {}
    for result in results:
        if not result.settled:
            unknown.setdefault(result.id, []).append(result)
    return unknown


def _tell(unknown: dict[str, list[Any]], records: Iterable[Record]) -> bool:
    """Give each result its record; say whether one of them went wrong."""
    wrong = False
    for record in records:
        for result in unknown.pop(record.message.id):
            result.settle(record)
            wrong = wrong or result.went_wrong
    return wrong


def _late(missing: dict[str, list[Any]], timeout: float | None) -> str:
    if len(missing) > 1:
        return f"{len(missing)} results did not come within {timeout} seconds"
    ((result,), *_) = missing.values()
    hint = "" if result.exists() else " (the store does not know it)"
    return f"{result.id} is {result.state} after {timeout} seconds{hint}"
