"""Live pages: one thread looks whether the store has changed, for all who watch."""

import threading
from collections.abc import Iterator
from contextlib import suppress

from ..app import LiteQ
from ..exceptions import BrokerError
from .values import Response

_EVERY = 0.25  # seconds between two looks, and so between two updates of a page at least
_FIRST_LOOK = 2.0  # seconds that a page waits for it, should the store be slow
_SILENCE = 15.0  # seconds after which a sign of life is sent, so that a closed page is noticed


class Pulse:
    """Tells the pages that are open when the store has changed. Without pages it does nothing."""

    def __init__(self, app: LiteQ) -> None:
        self._app = app
        self._changed = threading.Condition()
        self._changes = 0
        self._watchers = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._looking = threading.Event()  # it has looked once, so what follows is a change

    def stream(self) -> Response:
        """Return the response that lasts, and tells each change: server-sent events.

        See https://html.spec.whatwg.org/multipage/server-sent-events.html.
        """
        headers = (("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no"))
        return Response(200, headers, self._events())

    def close(self) -> None:
        """End all streams."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _events(self) -> Iterator[bytes]:
        self._enter()
        try:
            known = self._changes
            yield b"retry: 2000\n\n"
            while not self._closed:
                before, known = known, self._wait_for_more_than(known)
                yield b"data: changed\n\n" if known != before else b": alive\n\n"
        finally:
            with self._changed:
                self._watchers -= 1
                self._changed.notify_all()

    def _wait_for_more_than(self, known: int) -> int:
        """Return how many changes there were, once it is more, or nothing came for a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._changes != known, _SILENCE)
            return self._changes

    def _enter(self) -> None:
        with self._changed:
            self._watchers += 1
            if self._thread is None:
                self._looking.clear()
                self._thread = threading.Thread(target=self._look, name="liteq-web", daemon=True)
                self._thread.start()
        self._looking.wait(_FIRST_LOOK)

    def _look(self) -> None:
        last: object = None
        while True:
            known = last
            with suppress(BrokerError):  # pages say so when they are loaded
                last = self._app.broker.revision()
            self._looking.set()
            with self._changed:
                if known is not None and last != known:
                    self._changes += 1
                    self._changed.notify_all()
                if self._changed.wait_for(lambda: self._closed or not self._watchers, _EVERY):
                    self._thread = None
                    return
