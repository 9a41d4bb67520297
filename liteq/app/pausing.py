"""Pausing of queues, of tasks by their names, and of the whole store: part of `app.control`."""

from ..model.pause import KEEP, SCHEDULES, Pause, PauseKind
from ..result.app import App
from ..sending.options import check_name

_WHAT = {PauseKind.QUEUE: "queue name", PauseKind.TASK: "task name"}


class Pausing:
    """The methods of `app.control` that pause and resume. No worker has to be running for them."""

    _app: App

    def pause(
        self, queue: str | None = None, *, task: str | None = None, schedules: str = KEEP
    ) -> bool:
        """Have no worker begin tasks of `queue`, or of the name `task`; without either, any task.

        Return whether that was not so already. What a worker has claimed before still runs. New
        tasks wait, and are kept when all workers are restarted. `schedules`: periodic entries that
        send there go on ("keep"), or pass over the runs that are due meanwhile ("skip").

        Raises InvalidTaskError for what can be no name, ValueError for other `schedules`.
        """
        if schedules not in SCHEDULES:
            raise ValueError(f"schedules is {schedules!r:.100}: give 'keep' or 'skip'")
        kind, name = _named(queue, task)
        return self._app.broker.pause(Pause(kind, name, self._app.broker.clock(), schedules))

    def resume(self, queue: str | None = None, *, task: str | None = None) -> bool:
        """Let workers begin again what `pause` with the same arguments has paused.

        Return whether it was paused. Other pauses stay: a queue that was paused by its name is so
        still when the pause of the whole store has ended.
        """
        return self._app.broker.resume(*_named(queue, task))

    def paused(self) -> list[Pause]:
        """Return all that is paused, each with its `kind` (`queue`, `task` or `store`), its `name`,
        the time `since` when it is (epoch seconds), and what `schedules` do."""
        return self._app.broker.pauses()


def _named(queue: str | None, task: str | None) -> tuple[PauseKind, str]:
    """Return the kind and the name of what is meant."""
    if queue is not None and task is not None:
        raise ValueError("give a queue or a task, and not both: each by a call of its own")
    if queue is None and task is None:
        return PauseKind.STORE, ""
    kind = PauseKind.TASK if queue is None else PauseKind.QUEUE
    return kind, check_name(_WHAT[kind], task if queue is None else queue)
