"""The sessions of a broker: one for each thread that uses it."""

import atexit
import os
import sys
import threading
import weakref
from contextvars import ContextVar

from .location import SqliteLocation
from .session import Session


class LentSession(Session):
    """A session on a connection of the application, see guests.py."""

    sessions: "ThreadSessions"

    @property
    def entered(self) -> bool:
        """Return whether it is in use."""
        raise NotImplementedError


_lent: ContextVar[tuple[LentSession, ...]] = ContextVar("liteq_lent_sessions", default=())
"""The lent sessions that are in use here."""


class ThreadSessions:
    """Opens a session for each thread, and closes it when the thread ends."""

    def __init__(self, location: SqliteLocation) -> None:
        self._location = location
        self._local = threading.local()
        self._open: set[Session] = set()
        atexit.register(_close_at_exit, weakref.ref(self))

    def __len__(self) -> int:
        return len(self._open)

    def current(self) -> Session:
        """Return the session of the calling thread; open one if it has none.

        In a block of `app.transaction` it is the one that writes in that transaction.
        """
        if lent := _lent.get():
            for guest in reversed(lent):
                # That of another application, too: its own connection would wait for this one.
                if guest.path == self._location.path and guest.entered:
                    return guest
        held: _Holder | None = getattr(self._local, "holder", None)
        if held is not None and held.session.pid == os.getpid():
            return held.session
        # In a forked child they are the parent's. (A copy: other threads come and go.)
        if any(session.pid != os.getpid() for session in tuple(self._open)):
            self._open = set()
        session = Session(self._location)
        self._open.add(session)
        self._local.holder = _Holder(session, self._open)
        return session

    def lend(self, guest: LentSession) -> None:
        """Let `guest` be the session of this context."""
        _lent.set((*_lent.get(), guest))

    def take_back(self, guest: LentSession) -> None:
        """Undo `lend`."""
        _lent.set(tuple(each for each in _lent.get() if each is not guest))

    def close(self) -> None:
        """Close the sessions of all threads."""
        for session in tuple(self._open):
            if session.pid == os.getpid():
                session.close()
        self._open.clear()
        self._local = threading.local()

    def close_current(self) -> None:
        """Close the session of the calling thread, if it has one."""
        if hasattr(self._local, "holder"):
            del self._local.holder


class _Holder:
    """The session of one thread; closes it when the thread ends, as thread-local values do."""

    def __init__(self, session: Session, sessions: set[Session]) -> None:
        self.session = session
        self._sessions = sessions

    def __del__(self) -> None:
        if self.session.pid != os.getpid() or self.session not in self._sessions:
            return  # in a forked child it is the parent's, and stays in the set of its broker
        if sys.is_finalizing():
            return  # the thread may have been stopped for good while it held a lock
        self._sessions.discard(self.session)
        self.session.close()


def _close_at_exit(sessions: "weakref.ref[ThreadSessions]") -> None:
    # Only this thread's: daemon threads may be in the middle of a transaction, and the system
    # closes what they have open.
    still_there = sessions()
    if still_there is not None:
        still_there.close_current()
