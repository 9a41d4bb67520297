"""The signals of a worker from its start to its end, with Celery's names.

They are sent in the worker's own process, between two turns of its loop: while a receiver runs,
nothing is claimed or settled.
"""

import os
from typing import Any

from .. import signals
from ..execution.context import Context
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome

_KILLED = 9  # the number of SIGKILL, which Windows has no name for


class Lifecycle:
    """Sends the signals of `worker`, a Worker."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._stopping = False

    def configuring(self) -> None:
        """Send `celeryd_init`, before the settings are read."""
        worker = self._worker
        signals.celeryd_init.send(
            sender=worker.hostname, instance=worker, conf=worker.app.conf, options={}
        )

    def starting(self) -> None:
        """Send `worker_init` and `celeryd_after_setup`, once tasks and queues are known."""
        worker = self._worker
        self._stopping = False  # it may have been started and stopped before
        signals.worker_init.send(sender=worker)
        signals.celeryd_after_setup.send(
            sender=worker.hostname, instance=worker, conf=worker.app.conf
        )
        if not worker.has_children:  # tasks run in this very process
            signals.worker_process_init.send(sender=None)

    def received(self) -> bool:
        """Return whether anybody receives the signals that are sent before it works."""
        before = (signals.celeryd_init, signals.worker_init, signals.celeryd_after_setup)
        return any(signal.receivers for signal in before)

    def ready(self) -> None:
        """Send `worker_ready`: it claims tasks from now on."""
        signals.worker_ready.send(sender=self._worker)

    def stopping(self, *, force: bool) -> None:
        """Send `worker_shutting_down` at the first stop request; later ones are ignored."""
        if not self._stopping:
            self._stopping = True
            how = "Cold" if force else "Warm"
            signals.worker_shutting_down.send(
                sender=self._worker.hostname, sig=None, how=how, exitcode=0
            )

    def stopped(self) -> None:
        """Send `worker_shutdown`: it has left the store."""
        if not self._worker.has_children:
            signals.worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=0)
        signals.worker_shutdown.send(sender=self._worker)

    def task_ended(self, delivery: Delivery, outcome: Outcome) -> None:
        """Send `task_revoked` for a task that was terminated or has expired.

        For all others the child process sends the signals itself.
        """
        if outcome.kind not in (Kind.TERMINATED, Kind.EXPIRED):
            return
        if not signals.task_revoked.receivers:
            return
        # No arguments: nothing that users send is decoded in this process.
        request = Context(delivery, None, None, self._worker.hostname)
        ran = outcome.runtime > 0
        signals.task_revoked.send(
            sender=self._worker.app.tasks.get(delivery.task),
            request=request,
            terminated=ran,
            signum=_KILLED if ran else None,
            expired=outcome.kind is Kind.EXPIRED,
        )
