"""Remote control of tasks and workers: `app.control`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ..brokers.batches import id_batches
from ..model.search import Search
from ..states import Phase
from .absent import OF_CONTROL
from .inspect import Inspect
from .remote import Remote

_UNFINISHED = [phase for phase in Phase if not phase.final]


class Control(Remote):
    """Changes the tasks in the store, for which no worker has to be up; and has workers do things.

    What workers are asked for is in `Remote`.
    """

    absent: ClassVar[Mapping[str, str]] = OF_CONTROL

    def inspect(
        self, destination: str | Iterable[str] | None = None, timeout: float = 1.0, **options: Any
    ) -> Inspect:
        """Return an `Inspect` of all workers, or of those that `destination` names."""
        return Inspect(self._app, destination, timeout, **options)

    def revoke(
        self,
        task_id: Any,
        destination: object = None,
        terminate: bool = False,
        signal: object = None,
        *,
        workflow: bool = False,
        **_: object,
    ) -> list[str]:
        """Revoke tasks by id or result, one or many; return the ids of those that had not finished.

        With `workflow` also those that come before them in their workflows: with the id of the
        last step of a chain, or of the body of a chord, that is all of it. The id of a group then
        means its members, but not those of groups at the end of one of them. A waiting task ends as
        REVOKED at once, and so do the tasks that wait for it. A running one is not tried again;
        with `terminate` its process is killed, if it still runs that task. This is written in the
        store, so workers that start later know it as well. `destination` and `signal` are Celery's
        and do nothing: the worker that runs the task is notified, and a process is always killed
        with SIGKILL.
        """
        one = isinstance(task_id, str) or not isinstance(task_id, Iterable)
        ids = [str(each) for each in ([task_id] if one else task_id)]
        keep = self._app.conf.result_expires or None
        if workflow:
            from ..result.workflow import with_those_before  # few processes revoke

            ids = with_those_before(self._app.broker, ids)
        return self._app.broker.cancel(ids, keep, terminate=terminate)

    def terminate(self, task_id: Any, signal: object = None, **_: object) -> list[str]:
        """Revoke tasks, and kill the processes of those that run; return the ids, as `revoke`."""
        return self.revoke(task_id, terminate=True)

    def revoke_by_name(self, name: str, *, terminate: bool = False) -> list[str]:
        """Revoke every unfinished task of that name; return their ids."""
        return self._revoke_all(terminate, Search(task=name))

    def revoke_by_headers(
        self, headers: Mapping[str, Any], *, terminate: bool = False
    ) -> list[str]:
        """Revoke every unfinished task that has one of `headers`, or has it as a stamp; return
        their ids.

        A value may also be a list of values, of which the task has one.
        """
        ids: list[str] = []
        for name, value in headers.items():
            for each in value if isinstance(value, list | tuple | set) else [value]:
                ids += self._revoke_all(terminate, Search(headers={name: each}))
        return ids

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any],
        destination: object = None,
        terminate: bool = False,
        signal: object = None,
        **_: object,
    ) -> list[str]:
        """Do what `revoke_by_headers` does, under Celery's name."""
        return self.revoke_by_headers(headers, terminate=terminate)

    def purge(self, queues: Sequence[str] | None = None) -> int:
        """Drop all tasks that wait to be run (in `queues`); return how many there were."""
        return self._app.broker.purge(queues)

    discard_all = purge

    def _revoke_all(self, terminate: bool, search: Search) -> list[str]:
        """Revoke the unfinished tasks that `search` looks for."""
        batches = id_batches(self._app.broker, _UNFINISHED, search)
        return [id for ids in batches for id in self.revoke(ids, terminate=terminate)]
