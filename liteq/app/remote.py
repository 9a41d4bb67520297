"""The part of `app.control` that has workers do something."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..result.app import App
from ..support.warning import warn
from .absent import Incomplete
from .limiting import check_limits
from .orders import Callback, Replies, ask, destination_of, tell

Names = str | Iterable[str] | None
"""Names of workers; None: all that are up."""


class Remote(Incomplete):
    """Gives orders to the workers of `app`, on whatever machines they are.

    Without `reply=True` a method returns None at once, and a worker that is up obeys within a
    minute, or never. With it, the answers are waited for, for `timeout` seconds: a list with
    `{name: answer}` of each worker. A warning names the workers without an answer; what they have
    not done by then, they never do.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def broadcast(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        destination: Names = None,
        connection: object = None,
        reply: bool = False,
        timeout: float = 1.0,
        limit: int | None = None,
        callback: Callback | None = None,
        channel: object = None,
        pattern: str | None = None,
        matcher: str | None = None,
        **more: Any,
    ) -> list[dict[str, Any]] | None:
        """Have workers run a command: one of liteq's, or one made by `control_command`.

        `destination`: names of workers, or one; all unless given. `pattern`: only those whose names
        match it, as a glob, or with `matcher="pcre"` as a regular expression. `limit`: so many
        answers are enough. `callback` is called with each `{name: answer}` as it comes. More
        arguments for the command may be given by name. Raises InvalidTaskError for what no order
        can hold.
        """
        to = destination_of(destination, pattern, matcher)
        given = {**(arguments or {}), **more}
        if not reply:
            tell(self._app, command, given, to)
            return None
        replies = ask(self._app, command, given, to, timeout, limit, callback)
        return answers_of(command, replies)

    def ping(
        self, destination: Names = None, timeout: float = 1.0, **options: Any
    ) -> list[dict[str, Any]]:
        """Return who answers: `[{name: {"ok": "pong"}}]`."""
        wanted = {**options, "reply": True, "timeout": timeout}
        return self.broadcast("ping", destination=destination, **wanted) or []

    def shutdown(self, destination: Names = None, **options: Any) -> list[dict[str, Any]] | None:
        """Have workers stop when the tasks that they run have ended."""
        return self.broadcast("shutdown", destination=destination, **options)

    def pool_grow(
        self, n: int = 1, destination: Names = None, **options: Any
    ) -> list[dict[str, Any]] | None:
        """Give each worker `n` slots more."""
        return self.broadcast("pool_grow", {"n": n}, destination, **options)

    def pool_shrink(
        self, n: int = 1, destination: Names = None, **options: Any
    ) -> list[dict[str, Any]] | None:
        """Take `n` slots from each worker, those without a task first; others end theirs."""
        return self.broadcast("pool_shrink", {"n": n}, destination, **options)

    def pool_restart(
        self,
        modules: Iterable[str] | None = None,
        reload: bool = False,
        reloader: object = None,
        destination: Names = None,
        **options: Any,
    ) -> list[dict[str, Any]] | None:
        """Have workers load the code anew, slot by slot. `modules` and such change nothing."""
        return self.broadcast("pool_restart", destination=destination, **options)

    def autoscale(
        self, max: int, min: int, destination: Names = None, **options: Any
    ) -> list[dict[str, Any]] | None:
        """Have workers change their number of slots by the load, within these bounds."""
        return self.broadcast("autoscale", {"max": max, "min": min}, destination, **options)

    def add_consumer(
        self,
        queue: str,
        exchange: object = None,
        exchange_type: object = "direct",
        routing_key: object = None,
        options: object = None,
        destination: Names = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]] | None:
        """Have workers take tasks from one more queue. There are no exchanges."""
        return self.broadcast("add_consumer", {"queue": queue}, destination, **kwargs)

    def cancel_consumer(
        self, queue: str, destination: Names = None, **options: Any
    ) -> list[dict[str, Any]] | None:
        """Have workers take no more tasks from a queue."""
        return self.broadcast("cancel_consumer", {"queue": queue}, destination, **options)

    def time_limit(
        self,
        task_name: str,
        soft: float | None = None,
        hard: float | None = None,
        destination: Names = None,
        **options: Any,
    ) -> list[dict[str, Any]] | None:
        """Change the time limits of a task, in seconds, in workers that are up, until they end.

        None: that of the settings. What a call says itself counts first.
        """
        arguments = {"task_name": task_name, "soft": soft, "hard": hard}
        return self.broadcast("time_limit", arguments, destination, **options)

    def rate_limit(
        self, task_name: str, rate_limit: str | float, destination: Names = None, **options: Any
    ) -> list[dict[str, Any]] | None:
        """Change how often a task may run. Raises ConfigurationError where there are no limits."""
        check_limits(self._app, task_name)
        arguments = {"task_name": task_name, "rate_limit": rate_limit}
        return self.broadcast("rate_limit", arguments, destination, **options)

    def heartbeat(self, destination: Names = None, **options: Any) -> list[dict[str, Any]] | None:
        """Have workers send a heartbeat."""
        return self.broadcast("heartbeat", destination=destination, **options)


def answers_of(command: str, replies: Replies) -> list[dict[str, Any]]:
    """Return the answers to an order; warn of workers without one."""
    if complaint := replies.complaint(command):
        warn(complaint)
    return [{name: answer} for name, answer in replies.answers]
