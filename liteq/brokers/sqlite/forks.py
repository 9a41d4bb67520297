"""Open connections, locks and listeners when the process forks.

SQLite's connections must not cross a fork. It is not enough that the child does not use them:
SQLite keeps one list of files and locks for the whole process, so a new connection in the child
would rely on locks that only its parent has, and its commits would be lost when the parent closes
its own. So connections are closed before a fork, and opened again on use after it.

A fork waits for threads that are in a transaction. One that lasts too long is left alone, and then
the child cannot use that file.

Write locks and listeners are closed in the child: a `flock` is held for as long as any process has
its file open.
"""

import os
from threading import Lock
from weakref import WeakSet

MAX_WAIT = 5.0  # seconds that a fork waits for a transaction


class ForkAware:
    """Something open that a forked child must not have, once it is registered here."""

    def before_fork(self) -> bool:
        """Close what must not be inherited, until `after_fork_in_parent`; False: nothing to do."""
        return False

    def after_fork_in_parent(self) -> None:
        """Allow its use again."""

    def after_fork_in_child(self) -> None:
        """Close what is still open."""


opening: Lock = Lock()  # held while something is opened, so that a fork never finds it half done
_registered: WeakSet[ForkAware] = WeakSet()
_paused: list[ForkAware] = []
_forking = Lock()


def register(each: ForkAware) -> None:
    """Call the methods of `each` at every fork, for as long as it lives."""
    _registered.add(each)


def unregister(each: ForkAware) -> None:
    """Stop doing so: it was closed."""
    _registered.discard(each)


def _before() -> None:
    _forking.acquire(timeout=MAX_WAIT)
    _paused.extend(each for each in tuple(_registered) if each.before_fork())
    opening.acquire(timeout=MAX_WAIT)
    # Again, for those that were being opened in the meantime.
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
