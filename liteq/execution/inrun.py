"""What the code of a task calls while it runs: `self.progress` and `self.is_revoked()`."""

from .context import NO_TASK, Context, current, current_run
from .pulse import pulses_here
from .reporter import Reporter

_WHICH_RUN = (
    "no task runs in this thread, and this process may run several: it is not known which one is "
    "meant: let the task take `progress = self.progress` before it starts the thread, which then "
    "calls that"
)


class InRun:
    """The part of a task that its running code uses."""

    @property
    def progress(self) -> Reporter:
        """Return what says how far the run has come: see `Reporter.__call__`.

        `self.progress(3, 10, "writing")`, or `for row in self.progress(rows, "reading"):`. In a
        direct call nobody is told. In a thread that a task has started it is the progress of that
        task where a process runs one at a time; raises RuntimeError in other pools, where the task
        has to hand over its `self.progress`.
        """
        return current.get().reporter or reporter_of(current.get())

    def is_revoked(self) -> bool:
        """Return whether the task was revoked while it runs, or its worker has lost it.

        A task that asks can end in time: by `return`, or by `raise TaskRevokedError()` as revoked.
        The store is read at the first call, and then four times a second. False in a direct call
        and with `apply`. In threads it is as with `progress`.
        """
        run = current_run()
        return reporter_of(NO_TASK if run is None else run).is_to_end()


def reporter_of(context: Context) -> Reporter:
    """Return the reporter of a run; of NO_TASK, that of the one task that this process runs.

    Raises RuntimeError where it may run several, and it is not known which one is meant.
    """
    if context is NO_TASK:
        found = pulses_here()
        context = next((each.running for each in found if each.running is not None), context)
        if context is NO_TASK:
            if any(each.many for each in found):
                raise RuntimeError(_WHICH_RUN)
            return Reporter()
    if context.reporter is None:
        delivery = context.delivery
        context.reporter = Reporter(context.pulse, delivery and delivery.receipt)
    return context.reporter
