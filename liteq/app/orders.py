"""Orders to workers, as callers give them: to whom, what they answer, and who does not."""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from typing import Any, NamedTuple

from ..brokers.base import Broker, WorkerInfo
from ..brokers.serving import facts_of
from ..exceptions import InvalidTaskError
from ..model.message import new_id
from ..model.order import LONGEST_ARGUMENTS, Order
from ..result.app import App
from ..sending.options import check_name
from ..support.nearest import did_you_mean

_UNANSWERED = 60.0  # seconds for which an order is worth something to whose answer nobody waits
_LONGEST_WAIT = 86_400.0  # seconds
_LOOK_EVERY = 0.5  # seconds between two looks, should a notification be lost

Callback = Callable[[dict[str, Any]], object]
"""Takes the answer of one worker: {name: answer}."""


class Destination(NamedTuple):
    """The workers that an order is for: those of these names, or whose names match a pattern."""

    names: frozenset[str] | None = None  # None: all
    pattern: str | None = None  # a regular expression

    def includes(self, worker: WorkerInfo) -> bool:
        """Return whether `worker` is one of them."""
        if self.names is not None and worker.name not in self.names:
            return False
        return self.pattern is None or re.match(self.pattern, str(worker.name)) is not None


def destination_of(
    names: str | Iterable[str] | None, pattern: str | None = None, matcher: str | None = None
) -> Destination:
    """Return the destination that Celery's arguments of these names mean.

    `matcher`: "glob" (unless given) or "pcre". Raises InvalidTaskError for what cannot be one.
    """
    if names is not None:
        names = [names] if isinstance(names, str) else names
        names = frozenset(check_name("worker name", name) for name in names)
    if pattern is None:
        return Destination(names)
    if matcher not in (None, "glob", "pcre"):
        raise InvalidTaskError(f"the matcher of names is 'glob' or 'pcre', not {matcher!r:.100}")
    expression = pattern if matcher == "pcre" else translate(pattern)
    try:
        re.compile(expression)
    except re.error as exc:
        raise InvalidTaskError(f"the pattern {pattern!r:.100} is none: {exc}") from None
    return Destination(names, expression)


class Replies(NamedTuple):
    """What came of an order: the answers, and the names of the workers without one."""

    answers: list[tuple[str, Any]]  # the name of a worker, and its answer
    silent: Sequence[str] = ()
    gone: Sequence[str] = ()  # they ended before they have answered
    unknown: Sequence[str] = ()  # no worker of that name is up
    known: Sequence[str] = ()  # those that are up
    timeout: float = 0.0  # seconds that the silent ones had

    def complaint(self, command: str) -> str | None:
        """Return who has not answered, in words; None if all have."""
        parts = []
        if self.silent:
            names = ", ".join(self.silent)
            parts.append(f"no answer within {self.timeout:g} s from {names}")
        if self.gone:
            parts.append(f"ended before an answer: {', '.join(self.gone)}")
        for name in self.unknown:
            up = f"; those that are up: {', '.join(self.known)}" if self.known else ""
            parts.append(f"no worker is called {name!r}{did_you_mean(name, self.known, up)}")
        return f"{command}: {'; '.join(parts)}" if parts else None


def encoded(command: str, arguments: Mapping[str, Any] | None) -> str:
    """Return the arguments of an order as JSON.

    Raises InvalidTaskError for what an order cannot hold.
    """
    check_name("command", command)
    try:
        text = json.dumps(dict(arguments or {}))
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidTaskError(f"the arguments of {command!r} must be JSON: {exc}") from None
    if len(text) > LONGEST_ARGUMENTS:
        raise InvalidTaskError(
            f"the arguments of {command!r} have {len(text)} characters as JSON, and may have "
            f"{LONGEST_ARGUMENTS}"
        )
    return text


def tell(app: App, command: str, arguments: Mapping[str, Any] | None, to: Destination) -> None:
    """Give an order, and wait for no answer. It is obeyed within a minute, or never."""
    text = encoded(command, arguments)
    workers = [each for each in app.broker.workers() if to.includes(each)]
    app.broker.order(_orders(app.broker, new_id(), workers, command, text, _UNANSWERED))


def ask(
    app: App,
    command: str,
    arguments: Mapping[str, Any] | None,
    to: Destination,
    timeout: float = 1.0,
    limit: int | None = None,
    callback: Callback | None = None,
) -> Replies:
    """Give an order, and return what the workers answer within `timeout` seconds.

    What was not obeyed by then never is. `limit`: so many answers are enough. `callback` is
    called with each of them as it comes.
    """
    text, wait = encoded(command, arguments), _checked_timeout(timeout)
    up = app.broker.workers()
    workers = [each for each in up if to.includes(each)]
    names = sorted(str(each.name) for each in up)
    unknown = sorted(to.names.difference(names)) if to.names is not None else []
    if not workers:
        return Replies([], unknown=unknown, known=names)
    call = new_id()
    app.broker.order(_orders(app.broker, call, workers, command, text, wait))
    waiting = _Waiting(app, call, workers, callback)
    waiting.wait(wait, len(workers) if limit is None else limit)
    enough = limit is not None and len(waiting.answers) >= limit
    silent = [] if enough else sorted(map(_described, waiting.missing.values()))
    return Replies(waiting.answers, silent, waiting.gone, unknown, names, wait)


class _Waiting:
    """A wait of the calling thread for the answers to one call."""

    def __init__(
        self, app: App, call: str, workers: Iterable[WorkerInfo], callback: Callback | None
    ) -> None:
        self._app = app
        self._call = call
        self._callback = callback
        self.missing: dict[int, WorkerInfo] = {each.id: each for each in workers}
        self.answers: list[tuple[str, Any]] = []
        self.gone: list[str] = []

    def wait(self, timeout: float, wanted: int) -> None:
        """Wait until there are so many answers, nobody is left who could answer, or time is up."""
        broker, thread = self._app.broker, self._app.backend.thread
        deadline = time.monotonic() + timeout
        listener = broker.result_listener()
        expected = [self._call]
        listener.expect(expected)
        thread.expected = expected  # another wait of this thread then knows that it is not its own
        try:
            next_look = time.monotonic() + _LOOK_EVERY
            while True:
                self._take()
                left = deadline - time.monotonic()
                if not self.missing or len(self.answers) >= wanted or left <= 0:
                    return
                if time.monotonic() >= next_look:
                    self._look_who_is_gone()
                    next_look = time.monotonic() + _LOOK_EVERY
                listener.wait(min(left, _LOOK_EVERY))
        finally:
            listener.expect(())
            thread.expected = None

    def _take(self) -> None:
        for answer in self._app.broker.answers(self._call):
            worker = self.missing.pop(answer.worker, None)
            if worker is not None:
                found = str(worker.name), _decoded(answer.text)
                self.answers.append(found)
                if self._callback is not None:
                    self._callback(dict([found]))

    def _look_who_is_gone(self) -> None:
        up = {each.id for each in self._app.broker.workers()}
        gone = [id for id in self.missing if id not in up]
        if gone:
            self._take()  # it may have answered, and then ended
        for id in gone:
            if id in self.missing:
                self.gone.append(str(self.missing.pop(id).name))


def _orders(
    broker: Broker, call: str, workers: Iterable[WorkerInfo], name: str, text: str, wait: float
) -> list[Order]:
    now = broker.clock()
    return [Order(call, each.id, name, text, now, now + wait) for each in workers]


def _decoded(text: str) -> Any:
    """Return an answer; any program that can write to the store may have given it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        return {"error": f"its answer cannot be read: {exc}"}


def _described(worker: WorkerInfo) -> str:
    if facts_of(worker).get("pool") == "solo":
        return f"{worker.name} (its pool is solo: it answers between two tasks)"
    return worker.name


def _checked_timeout(timeout: float) -> float:
    number: object = timeout  # a program may give anything
    if isinstance(number, bool) or not isinstance(number, int | float) or not number > 0:
        raise InvalidTaskError(f"the timeout is a number of seconds above 0, not {timeout!r:.100}")
    return min(float(number), _LONGEST_WAIT)
