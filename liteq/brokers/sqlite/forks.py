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

MAX_WAIT = 5.0  # seconds that a fork waits for a transaction


class ForkAware:
    """Something open that a forked child must not have. `watch` it."""

    def before_fork(self) -> bool:
        """Before a fork: close what must not be inherited, until `resume`; False: no need."""
        return False

    def after_fork_in_parent(self) -> None:
        """In the parent, after it: go on."""

    def after_fork_in_child(self) -> None:
        """In the child: close what is left."""


opening = Lock()  # held while something is opened, so that no fork finds it half done
_registered: WeakSet[ForkAware] = WeakSet()
_paused: list[ForkAware] = []
_forking = Lock()


def register(each: ForkAware) -> None:
    """See to `each` at a fork, for as long as it lives."""
    _registered.add(each)


def unregister(each: ForkAware) -> None:
    """It was closed."""
    _registered.discard(each)


def _before() -> None:
    _forking.acquire(timeout=MAX_WAIT)
    _paused.extend(each for each in tuple(_registered) if each.before_fork())
    opening.acquire(timeout=MAX_WAIT)
    # Those that were just being opened.
    _paused.extend(
        each for each in tuple(_registered) if each not in _paused and each.before_fork()
    )


def _after_in_parent() -> None:
    opening.release()
    for each in _paused:
        each.after_fork_in_parent()
    _paused.clear()
    _forking.release()


def _after_in_child() -> None:
    global opening, _forking
    opening, _forking = Lock(), Lock()
    _paused.clear()
    for each in tuple(_registered):
        each.after_fork_in_child()
    _registered.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
