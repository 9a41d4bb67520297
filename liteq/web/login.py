"""Let visitors in to a dashboard that serves itself: by a link that works once, or a password."""

import secrets
import time
from hmac import compare_digest
from threading import Lock

from .values import Access, Request

COOKIE = "liteq-session"
_SESSION = 12 * 3600.0  # seconds that a session lasts
_MOST_SESSIONS = 1000
_TRIES = 10  # wrong passwords in a minute, after which no one is let in for the rest of it


class Login:
    """The sessions of one server. `access`: what a visitor may do who is let in."""

    def __init__(self, access: Access, password: str | None = None) -> None:
        self._access: Access = access
        self._password = password
        self._lock = Lock()
        self._key = secrets.token_urlsafe(32)
        self._sessions: dict[str, float] = {}  # until when each is good, by the monotonic clock
        self._tries = (0.0, 0)  # since when, and how many

    @property
    def key(self) -> str:
        """Return the key of the link that works for the next visitor, and once."""
        return self._key

    @property
    def by_password(self) -> bool:
        """Return whether visitors may log in by a password."""
        return self._password is not None

    def access(self, request: Request) -> Access | None:
        """Return what the visitor of a request may do; None for one without a session."""
        session = request.cookies.get(COOKIE, "")
        with self._lock:
            return self._access if self._sessions.get(session, 0.0) > time.monotonic() else None

    def enter_by_key(self, key: str) -> str | None:
        """Return a new session for the key of the link, which is of no use any more then."""
        with self._lock:
            if not compare_digest(key.encode(), self._key.encode()):
                return None
            self._key = secrets.token_urlsafe(32)
            return self._new_session()

    def enter_by_password(self, password: str) -> str | None:
        """Return a new session for the right password; None for a wrong one, or too many tries."""
        if self._password is None:
            return None
        with self._lock:
            since, number = self._tries
            now = time.monotonic()
            if now - since > 60:
                since, number = now, 0
            right = number < _TRIES and compare_digest(password.encode(), self._password.encode())
            self._tries = (since, number if right else number + 1)
            return self._new_session() if right else None

    def _new_session(self) -> str:
        now, session = time.monotonic(), secrets.token_urlsafe(32)
        alive = [(name, until) for name, until in self._sessions.items() if until > now]
        self._sessions = dict(alive[-_MOST_SESSIONS:])
        self._sessions[session] = now + _SESSION
        return session
