"""The purge of tasks that wait, in steps, so that the server is never busy for long."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...states import Phase
from ..base import QueueCount
from ..pausing import queue_of

_STEP = 1000  # tasks looked at by one script


def purge_waiting(
    run: Callable[..., Any], counts: Iterable[QueueCount], queues: Sequence[str] | None
) -> int:
    """Delete the READY and SCHEDULED tasks of `queues`, or of all; return how many.

    No more than are in `counts`: what becomes ready by this, or is sent meanwhile, stays. `run`
    runs the script of a verb.
    """
    waiting = [
        count
        for count in counts
        if count.phase in (Phase.SCHEDULED, Phase.READY)
        and (queues is None or queue_of(count.queue) in queues)
    ]
    names = dict.fromkeys(count.queue for count in waiting)
    ready = sum(count.tasks for count in waiting if count.phase is Phase.READY)
    scheduled = sum(count.tasks for count in waiting) - ready
    dropped = passed = 0
    while ready > 0 or scheduled > 0:
        offset = passed
        args = (_STEP, ready, scheduled, offset, *names)
        dropped_ready, dropped_scheduled, passed = run("purge", *args)
        if not dropped_ready and not dropped_scheduled and passed == offset:
            break  # the others were claimed meanwhile
        ready -= dropped_ready
        scheduled -= dropped_scheduled
        dropped += dropped_ready + dropped_scheduled
    return dropped
