"""What a fork of the process does to what is open in it.

SQLite's connections must not cross a fork. That nobody uses them in the child is not enough:
SQLite keeps one list of files and locks for the whole process, so a new connection in the child
would believe in locks that only its parent has, and its commits would be lost when the parent
closes. So connections are closed before a fork, and opened again by whoever needs them after it.

A fork waits for whoever is in a transaction. One that lasts too long is left alone, and then the
child cannot use that file.

Gates and listeners are closed in the child: a lock lives as long as anybody has its file open.
"""

import os
from threading import Lock
from weakref import WeakSet

LONGEST = 5.0  # seconds that a fork waits for a transaction


class Watched:
    """Something open that a forked child must not have. `watch` it."""

    def pause(self) -> bool:
        """Before a fork: close what must not be inherited, until `resume`; False: no need."""
        return False

    def resume(self) -> None:
        """In the parent, after it: go on."""

    def disown(self) -> None:
        """In the child: close what is left."""


opening = Lock()  # held while something is opened, so that no fork finds it half done
_watched: WeakSet[Watched] = WeakSet()
_paused: list[Watched] = []
_forking = Lock()


def watch(each: Watched) -> None:
    """See to `each` at a fork, for as long as it lives."""
    _watched.add(each)


def unwatch(each: Watched) -> None:
    """It was closed."""
    _watched.discard(each)


def _before() -> None:
    _forking.acquire(timeout=LONGEST)
    _paused.extend(each for each in tuple(_watched) if each.pause())
    opening.acquire(timeout=LONGEST)
    # Those that were just being opened.
    _paused.extend(each for each in tuple(_watched) if each not in _paused and each.pause())


def _after_in_parent() -> None:
    opening.release()
    for each in _paused:
        each.resume()
    _paused.clear()
    _forking.release()


def _after_in_child() -> None:
    global opening, _forking
    opening, _forking = Lock(), Lock()
    _paused.clear()
    for each in tuple(_watched):
        each.disown()
    _watched.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
