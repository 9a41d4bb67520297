"""Learns what the store knows of many results at once, and waits for them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..exceptions import TimeoutError
from ..model.message import Record
from .backend import Backend
from .base import OnInterval, ResultBase

_CHECK_EVERY = 0.5  # seconds
_CHECKS = 10  # times as long as one took


def refresh(results: Iterable[Any]) -> None:
    """Look once, in one go, for all `results` of tasks that were not known to have finished."""
    unknown = _by_id(results)
    if unknown:
        backend = next(iter(unknown.values()))[0].backend
        _tell(unknown, backend.finished(list(unknown)))


def throw_first(results: Iterable[Any]) -> None:
    """Raise what the first of `results` failed with that is known to have failed."""
    for result in results:
        if result.known_failure:
            result.maybe_throw()


def refresh_and_throw(before: Sequence[Any]) -> None:
    """Look for the results `before`, and raise what the first that failed has failed with."""
    refresh(before)
    throw_first(before)


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

    Should one of them fail, that is raised at once, if `propagate`. One that was not run, because
    of what comes `before`, raises what the first of these failed with.

    Raises TimeoutError when `timeout` seconds are over.
    """
    if propagate:
        _throw_first(wanted, before)
    missing = _by_id(wanted)
    if not missing:
        return
    backend: Backend = wanted[0].backend
    next_check = 0.0
    for records in backend.watch(missing, timeout, interval):
        done = _tell(missing, records)
        if propagate and any(result.known_failure for result in done):
            _throw_first(wanted, before)
        yield done
        if not missing:
            return
        # The store ends what can no longer run, but a chord's body only with the last of its
        # header; and it cannot end what it does not know.
        began = time.monotonic()
        if propagate and before and began >= next_check:
            refresh_and_throw(before)
            next_check = began + max(_CHECK_EVERY, _CHECKS * (time.monotonic() - began))
        if on_interval is not None:
            on_interval()
    raise TimeoutError(_late(missing, timeout))


def _throw_first(wanted: Sequence[Any], before: Sequence[Any]) -> None:
    if any(result.known_skipped for result in wanted):
        refresh_and_throw(before)
    throw_first(wanted)


def leaves_before(results: Iterable[ResultBase]) -> list[Any]:
    """The results of all tasks that come before any of `results`, from the first on; each once."""
    return _all_before(results, forgiven=True)


def required_before(results: Iterable[ResultBase]) -> list[Any]:
    """The same without those of groups that forgive failures."""
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
            if leaf is not ancestor:  # the member of a group may be the end of a chain
                _find_before(leaf, found, seen, forgiven)
            found[leaf.id] = leaf


def _by_id(results: Iterable[Any]) -> dict[str, list[Any]]:
    unknown: dict[str, list[Any]] = {}
    for result in results:
        if not result.known:
            unknown.setdefault(result.id, []).append(result)
    return unknown


def _tell(missing: dict[str, list[Any]], records: Iterable[Record]) -> list[Any]:
    """Give each result its record, and answer them."""
    told = []
    for record in records:
        for result in missing.pop(record.message.id):
            result.set_record(record)
            told.append(result)
    return told


def _late(missing: dict[str, list[Any]], timeout: float | None) -> str:
    if len(missing) > 1:
        return f"{len(missing)} results did not come within {timeout} seconds"
    ((result,), *_) = missing.values()
    hint = "" if result.exists() else " (the store does not know it)"
    return f"{result.id} is {result.state} after {timeout} seconds{hint}"
