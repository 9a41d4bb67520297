"""Those who watch how far tasks have come, as the thread that polls knows them."""

import time
from collections.abc import Sequence
from math import inf
from typing import Protocol

from ..exceptions import BrokerError, BrokerUnavailable
from .watch import UNREACHABLE_LIMIT


class Observer(Protocol):
    """One who watches. Its methods are called in the thread that polls."""

    ids: Sequence[str]
    """The tasks whose changes it is to be notified of."""

    patient: bool
    """True if it has no timeout."""

    due: float | None
    """When it is to look whatever happens (`time.monotonic`): it has put a look off. None: it has
    not."""

    def look(self) -> bool: ...  # return whether there will be nothing more to see
    def fail(self, error: BaseException) -> None: ...
    def abandon(self) -> None: ...  # no worker is left that could run the tasks


class Observers:
    """All of them."""

    def __init__(self) -> None:
        self._all: list[Observer] = []
        self._away_since: float | None = None  # the store cannot be used

    def __bool__(self) -> bool:
        return bool(self._all)

    def change(self, new: Sequence[Observer], left: Sequence[Observer]) -> None:
        """Add those that are new, and remove those that have left."""
        if new or left:
            self._all = [each for each in (*self._all, *new) if each not in left]

    def ids(self) -> list[str]:
        """Return the tasks that they watch."""
        return list({id: None for each in self._all for id in each.ids})

    def pause(self, longest: float) -> float:
        """Return the seconds until one of them is to look, but no more than `longest`."""
        due = min((each.due for each in self._all if each.due is not None), default=inf)
        return min(max(due - time.monotonic(), 0.0), longest)

    def look(self, *, abandoned: bool) -> None:
        """Have all of them look, and drop those who are done. `abandoned`: no worker is left."""
        failed = False
        for each in [*self._all]:
            try:
                if each.look():
                    self._all.remove(each)
                elif abandoned and each.patient:
                    self._all.remove(each)
                    each.abandon()
            except BrokerUnavailable as exc:
                failed = True
                self._note_outage(each, exc)
            except Exception as exc:  # noqa: BLE001 - raised again by who watches
                self._all.remove(each)
                each.fail(exc)
        if not failed:
            self._away_since = None

    def end(self, error: BaseException) -> None:
        """Tell all of them that the thread ends."""
        observers, self._all = self._all, []
        for each in observers:
            each.fail(error)

    def _note_outage(self, observer: Observer, error: BrokerError) -> None:
        self._away_since = self._away_since or time.monotonic()
        if time.monotonic() - self._away_since > UNREACHABLE_LIMIT:
            self._all.remove(observer)
            observer.fail(error)
