"""Let the server run the script of a verb: as a function where it has these, else by EVALSHA.

A function takes the server two thirds of the time, as EVALSHA defines all that a script stands on
anew each time: 25 us against 37 us for a settlement.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

from redis import exceptions as redis_errors

from .errors import code_of
from .location import RedisLocation
from .replies import fields_of, text_of
from .scripts import LIBRARY_PREFIX, library, script

Argument = str | bytes | int | float
Send = Callable[..., Any]
"""Sends one command, and returns its reply or raises an error of redis-py."""

_MOST_LIBRARIES = 4  # of other versions of liteq, that stay on the server
_LOAD_AGAIN_AFTER = 30.0  # seconds, if the server cannot take the library for now
# In errors that pass, such as that of a server which is full, or a replica.
_PASSING = ("OOM", "READONLY", "LOADING", "MISCONF", "NOREPLICAS", "BUSY", "MASTERDOWN")

_logger = logging.getLogger("liteq.broker")


class Scripting:
    """Runs the scripts of verbs on the server that `send` talks to."""

    def __init__(self, location: RedisLocation, send: Send) -> None:
        self._url = location.url
        prefix = location.prefix
        # The number of keys, and these: of what is sent for the first time, and again.
        self._keys: tuple[tuple[Argument, ...], ...] = (
            (1, prefix),
            (2, prefix, f"{prefix}:again"),
        )
        self._send = send
        self._flags = True  # until the server turns out to be older than Redis 7
        # From when on functions are called, by the monotonic clock. Never in a cluster, as redis-py
        # asks the server for the keys of each such call, which takes one more round trip.
        unused = location.kind == "cluster" or not location.functions
        self._functions_from = inf if unused else 0.0

    def run(self, verb: str, args: tuple[Argument, ...], *, again: bool) -> Any:
        """Run the script of `verb` and return its reply; `again`: it may have been run before."""
        for _ in range(2):  # the library may have to be loaded first
            if not self._has_functions():
                break
            try:
                return self._send(*self.command(verb, args, again=again))
            except redis_errors.ResponseError as exc:
                if not self._concerns_functions(exc):
                    raise
        return self._evaluate(verb, args, again=again)

    def command(
        self, verb: str, args: tuple[Argument, ...], *, again: bool = False
    ) -> tuple[Argument, ...]:
        """Return the command that runs the script of `verb` if the server has it."""
        if self._has_functions():
            return ("FCALL", library().function(verb), *self._keys[again], *args)
        return ("EVALSHA", script(verb, flags=self._flags).sha, *self._keys[again], *args)

    def was_not_run(self, exc: redis_errors.ResponseError) -> bool:
        """Return whether the server does not have what `command` runs, so that `run` has to."""
        return isinstance(exc, redis_errors.NoScriptError) or self._concerns_functions(exc)

    def _has_functions(self) -> bool:
        return monotonic() >= self._functions_from

    def _concerns_functions(self, exc: redis_errors.ResponseError) -> bool:
        """Return whether `exc` says that there is no such function, or that none may be called.

        Before it returns True, it loads the library, or notes to do without functions.
        """
        if "Function not found" in str(exc):  # or not any more: flushed, restarted, failed over
            self._load()
        elif "unknown command" in str(exc) or isinstance(exc, redis_errors.NoPermissionError):
            self._do_without(inf, exc)
        else:
            return False
        return True

    def _load(self) -> None:
        try:
            self._send("FUNCTION", "LOAD", "REPLACE", library().text)
        except redis_errors.ResponseError as exc:
            passes = code_of(exc) in _PASSING
            self._do_without(monotonic() + _LOAD_AGAIN_AFTER if passes else inf, exc)
            return
        with suppress(redis_errors.ResponseError):  # this user may not do that
            self._delete_old()

    def _delete_old(self) -> None:
        """Delete the libraries of other versions if there are many, so that they do not add up.

        The server does not say when one was used last. A program that still runs with one that was
        deleted loads it again.
        """
        replies = self._send("FUNCTION", "LIST", "LIBRARYNAME", f"{LIBRARY_PREFIX}*")
        others = {text_of(fields_of(reply)[b"library_name"]) for reply in replies}
        others.discard(library().name)
        if len(others) > _MOST_LIBRARIES:
            for name in others:
                self._send("FUNCTION", "DELETE", name)

    def _do_without(self, until: float, exc: Exception) -> None:
        self._functions_from = until
        _logger.debug("%s: by EVALSHA instead of functions: %s", self._url, exc)

    def _evaluate(self, verb: str, args: tuple[Argument, ...], *, again: bool) -> Any:
        found = script(verb, flags=self._flags)
        tail = (*self._keys[again], *args)
        try:
            return self._send("EVALSHA", found.sha, *tail)
        except redis_errors.NoScriptError:
            pass  # the server was restarted, or its scripts were flushed
        try:
            return self._send("EVAL", found.text, *tail)
        except redis_errors.ResponseError as exc:
            if not (self._flags and "compiling script" in str(exc)):
                raise
        self._flags = False
        return self._evaluate(verb, args, again=again)
