"""What can be done about tasks that were sent, and learned of workers: `app.control`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..result.app import App
from ..states import Phase
from .inspect import Inspect

_UNFINISHED = [phase for phase in Phase if not phase.final]
_AT_ONCE = 1000  # tasks that are looked for, and revoked, in one go: some 10 ms


class Control:
    """Acts on the tasks in the store of `app`; no worker has to be there to hear it."""

    def __init__(self, app: App) -> None:
        self._app = app

    def inspect(self, destination: Any = None, timeout: float = 1.0, **_: object) -> Inspect:
        """What workers do: all of them, or those that `destination` names. See `Inspect`."""
        return Inspect(self._app, destination, timeout)

    def ping(
        self, destination: Any = None, timeout: float = 1.0, **_: object
    ) -> list[dict[str, dict[str, str]]]:
        """The workers that are there: `[{name: {"ok": "pong"}}]`."""
        found = self.inspect(destination).ping() or {}
        return [{name: reply} for name, reply in found.items()]

    def revoke(
        self,
        task_id: Any,
        destination: object = None,
        terminate: bool = False,
        signal: object = None,
        **_: object,
    ) -> list[str]:
        """Revoke tasks by id or result, one or many; answer the ids of those that had not finished.

        One that waits ends as REVOKED at once, and so does what waits for it. One that runs is not
        tried again; with `terminate` the process that runs it is killed, if it still runs that
        very task. It is noted in the store, so it holds for workers that start later.
        `destination` and `signal` are Celery's: whoever runs the task hears of it, and a process
        is always ended with SIGKILL.
        """
        one = isinstance(task_id, str) or not isinstance(task_id, Iterable)
        ids = [str(each) for each in ([task_id] if one else task_id)]
        revoked: list[str] = self._app.broker.cancel(
            ids, self._app.conf.result_expires or None, terminate=terminate
        )
        return revoked

    def terminate(self, task_id: Any, signal: object = None, **_: object) -> list[str]:
        """Revoke tasks, and end those that run."""
        return self.revoke(task_id, terminate=True)

    def revoke_by_name(self, name: str, *, terminate: bool = False) -> list[str]:
        """Revoke every unfinished task of that name; answer their ids."""
        return self._revoke_all(terminate, task=name)

    def revoke_by_headers(
        self, headers: Mapping[str, Any], *, terminate: bool = False
    ) -> list[str]:
        """Revoke every unfinished task that has one of `headers`, with that value, or with one of
        a list of values; answer their ids."""
        ids: list[str] = []
        for name, value in headers.items():
            for each in value if isinstance(value, list | tuple | set) else [value]:
                ids += self._revoke_all(terminate, headers={name: each})
        return ids

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any],
        destination: object = None,
        terminate: bool = False,
        signal: object = None,
        **_: object,
    ) -> list[str]:
        """`revoke_by_headers`, as Celery calls it. Stamps are headers."""
        return self.revoke_by_headers(headers, terminate=terminate)

    def purge(self, queues: Sequence[str] | None = None) -> int:
        """Drop all tasks that wait to be run (in `queues`); answer how many there were."""
        purged: int = self._app.broker.purge(queues)
        return purged

    discard_all = purge

    def _revoke_all(self, terminate: bool, **which: Any) -> list[str]:
        """Revoke the unfinished tasks that the store lists for `which`."""
        seen: set[str] = set()  # those that run stay in the listing
        revoked: list[str] = []
        while True:
            found = self._app.broker.listing(_UNFINISHED, _AT_ONCE + len(seen), **which)
            fresh = [each.message.id for each in found if each.message.id not in seen]
            if not fresh:
                return revoked
            seen.update(fresh)
            revoked += self.revoke(fresh, terminate=terminate)
