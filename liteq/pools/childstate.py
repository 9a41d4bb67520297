"""The child in a slot of the process pool, as its supervisor knows it."""

from .base import Kill, Slot
from .frames import Channel

_FIRST_PAUSE, _SHORT_PAUSE, _LONGEST_PAUSE = 0.1, 0.2, 5.0  # seconds before a child is replaced


class ChildState:
    """The state of the child in a slot, and the failures of those before it."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.channel: Channel | None = None
        self.pid: int | None = None
        self.start_at: float | None = None  # `time.monotonic`; None: it is started already
        self.failed_starts: int = 0  # children in a row that exited before they were ready
        self.crashes: int = 0  # children in a row that exited by themselves with no task finished
        self.reset()

    def reset(self) -> None:
        """Forget the last child, before another one is started."""
        self.start_at = None
        self.kill: Kill | None = None  # why the pool killed it
        self.ready = self.finished_any = self.draining = False
        self.ends_in_order: bool = False  # it has something to do at its end

    def note_exit(self) -> float:
        """Count the exit of the child; return the seconds to wait before starting another one.

        A task that kills its process, or a lack of memory, must not lead to forks as fast as the
        machine allows. A child that was killed or drained by the pool is replaced at once.
        """
        self.pid = None
        self.slot.up = self.slot.recalled = False
        self.failed_starts = 0 if self.ready else self.failed_starts + 1
        intended = self.draining or self.kill is not None
        self.crashes = 0 if self.finished_any or intended else self.crashes + 1
        if not self.crashes:
            return 0.0
        # A child that was ready was killed by its task. Other tasks wait, so the pause is short.
        longest = _SHORT_PAUSE if self.ready else _LONGEST_PAUSE
        return float(min(_FIRST_PAUSE * 2 ** min(self.crashes - 1, 10), longest))
