"""What the code of a task calls while it runs: `self.progress` and `self.is_revoked()`."""

from typing import TYPE_CHECKING

from .context import NO_TASK, Context, current, current_run

if TYPE_CHECKING:
    from .reporter import Reporter, SayProgress

_WHICH_RUN = (
    "no task runs in this thread, and this process may run several: it is not known which one is "
    "meant: let the task take `progress = self.progress` before it starts the thread, which then "
    "calls that"
)


class InRun:
    """The part of a task that its running code uses."""

    @property
    def progress(self) -> "SayProgress":
        """Return what says how far the run has come: see `SayProgress`.

        `self.progress(3, 10, "writing")`, or `for row in self.progress(rows, "reading"):`. In a
        direct call nobody is told. In a thread that a task has started it is the progress of that
        task where a process runs one at a time; raises RuntimeError in other pools, where the task
        has to hand over its `self.progress`.
        """
        context = current.get()
        return context.say_progress or _reporter_of(context, self).say

    def is_revoked(self) -> bool:
        """Return whether the task was revoked while it runs, or its worker has lost it.

        A task that asks can end in time: by `return`, or by `raise TaskRevokedError()` as revoked.
        The store is read at the first call, and then four times a second. False in a direct call
        and with `apply`. In threads it is as with `progress`.
        """
        return _reporter_of(current_run() or NO_TASK, self).is_to_end()


def _reporter_of(context: Context, task: object) -> "Reporter":
    """Return the reporter of a run; of NO_TASK, that of the run of `task` in this process.

    Raises RuntimeError where it may run several, and it is not known which one is meant.
    """
    from .pulse import pulses_here  # few tasks say or ask anything
    from .reporter import Reporter

    if context is NO_TASK:
        runs = [
            (run, pulse.many)
            for pulse in pulses_here()
            for run in tuple(pulse.runs)
            if run.running is task
        ]
        if not runs:
            return Reporter()
        (context, many), *_ = runs
        if many:
            raise RuntimeError(_WHICH_RUN)
    if context.reporter is None:
        delivery = context.delivery
        context.reporter = Reporter(context.pulse, delivery and delivery.receipt)
        context.say_progress = context.reporter.say
    return context.reporter
