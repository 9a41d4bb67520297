"""What runs print and log, until the pool hands it to the supervisor.

Threads that a task has started print as well, while another thread takes what there is. There are
no locks: a time limit may raise its exception anywhere, also between the taking of a lock and the
block that gives it back. Appending to a deque, and the methods of a dict, are atomic.
"""

from collections import deque
from collections.abc import Iterable
from itertools import count
from operator import itemgetter
from threading import get_ident
from time import monotonic, time
from typing import Any, NamedTuple

from ..model.checks import check_output, is_text
from ..model.message import Delivery
from ..model.output import (
    LONGEST_LEVEL,
    LONGEST_LINE,
    MOST_BYTES,
    MOST_LINES,
    Output,
    PlainLine,
    encode_lines,
)

_TAKE_EVERY = 1.0  # seconds between two outputs of a run that goes on


_number_of = itemgetter(0)


class OutputUpdate(NamedTuple):
    """What a run has printed and logged since the last update."""

    delivery: Delivery
    output: Output


class RunOutput:
    """The output of one run. Until it prints something, it costs next to nothing."""

    ended: bool = False  # once it is, the next `take` takes all that is left
    _lines: "_Lines | None" = None

    def __init__(self, delivery: Delivery, outputs: "Outputs") -> None:
        self.delivery = delivery
        self._outputs = outputs

    def write(self, stream: int, text: str) -> None:
        """Add what is printed to a stream, of this number. What comes after the end is dropped."""
        if not self.ended:
            (self._lines or self._begin()).write((stream, get_ident()), text)

    def log(self, level: str, text: str) -> None:
        """Add what is logged, of one line or more."""
        if not self.ended:
            (self._lines or self._begin()).add(level[:LONGEST_LEVEL], text)

    def _begin(self) -> "_Lines":
        self._lines = self._outputs.begin(self)
        return self._lines


class Outputs:
    """The output of all runs of a process that was not taken yet.

    Any thread may add to it. Only one at a time may `take`.
    """

    def __init__(self) -> None:
        self.open: dict[RunOutput, _Lines] = {}  # those of runs that have printed something

    def begin(self, run: RunOutput) -> "_Lines":
        """Return the lines of `run`: the same ones, whichever thread asks first."""
        return self.open.setdefault(run, _Lines())

    def take(self, *, at_once: bool = False) -> list[OutputUpdate]:
        """Take what is due: all of a run that has ended; of others, what a second has brought.

        `at_once`: all that there is.
        """
        now, found = monotonic(), []
        for run, lines in list(self.open.items()):
            if run.ended:
                del self.open[run]
                lines.finish()
            elif not at_once and now - lines.taken_at < _TAKE_EVERY:
                continue
            output = lines.take(run.delivery.attempts + 1)
            if output is not None:
                lines.taken_at = now
                found.append(OutputUpdate(run.delivery, output))
        return found


class _Lines:
    """Lines of a run that were not taken, in a ring: the last ones."""

    def __init__(self) -> None:
        self.taken_at: float = monotonic()
        self._lines: deque[PlainLine] = deque(maxlen=MOST_LINES)
        self._numbers = count(1)
        # By stream and thread, so that lines of two threads do not get mixed.
        self._unfinished: dict[tuple[int, int], str] = {}
        # Number and bytes of those lines that were taken and are kept.
        self._kept: deque[tuple[int, int]] = deque()
        self._kept_bytes = 0
        self._begins = True

    def write(self, key: tuple[int, int], text: str) -> None:
        """Add the lines that `text` completes; keep the rest until more comes."""
        unfinished = self._unfinished
        if key in unfinished:
            text = unfinished.pop(key, "") + text
        complete, newline, rest = text.rpartition("\n")
        if newline:
            self.add(None, complete)
        if len(rest) > LONGEST_LINE:
            full = len(rest) - len(rest) % LONGEST_LINE
            self.add(None, rest[:full])
            rest = rest[full:]
        if rest:
            unfinished[key] = _last_shown(rest) if "\r" in rest else rest

    def add(self, level: str | None, text: str) -> None:
        """Add text of one line or more; of very much, only the last lines."""
        if len(text) <= LONGEST_LINE and text.isascii() and "\n" not in text and "\r" not in text:
            self._lines.append((next(self._numbers), time(), level, text))
            return  # as nearly always, in a third of the time
        lines = text.rsplit("\n", MOST_LINES)
        if len(lines) > MOST_LINES:
            self._skip(lines.pop(0).count("\n") + 1)
        now = time()
        for line in lines:
            for part in _parts(line):
                self._lines.append((next(self._numbers), now, level, part))

    def finish(self) -> None:
        """Add the lines that were never completed."""
        for key in list(self._unfinished):
            self.add(None, self._unfinished.pop(key, ""))

    def take(self, attempt: int) -> Output | None:
        """Take all lines; None if there are none."""
        # As many as there are now: others may be added meanwhile.
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        lines.sort(key=_number_of)
        if not lines:
            return None
        for number, _, _, text in lines:
            size = len(text) if text.isascii() else len(text.encode())
            self._kept.append((number, size))
            self._kept_bytes += size
        while len(self._kept) > MOST_LINES or self._kept_bytes > MOST_BYTES:
            self._kept_bytes -= self._kept.popleft()[1]
        keep_from, begins = self._kept[0][0], self._begins
        self._begins = False
        kept = [line for line in lines if line[0] >= keep_from]
        return Output(attempt, kept[-1][0], keep_from, encode_lines(kept), begins)

    def _skip(self, lines: int) -> None:
        """Give the next line the number that it has after so many others."""
        self._numbers = count(next(self._numbers) + lines)


def _parts(line: str) -> list[str]:
    """Return a line in parts that can be stored; of one that is written over, its last state."""
    shown = _last_shown(line).rstrip("\r")[-MOST_BYTES:]
    if not is_text(shown):
        shown = shown.encode("utf-8", "backslashreplace").decode()
    if len(shown) <= LONGEST_LINE:
        return [shown]
    return [shown[start : start + LONGEST_LINE] for start in range(0, len(shown), LONGEST_LINE)]


def _last_shown(line: str) -> str:
    """Return what a terminal shows of `line` in the end: what stands behind the last return."""
    start = line.rfind("\r", 0, max(len(line) - 1, 0)) + 1
    return line[start:] if start else line


# On the stream from a child to the supervisor.

Packed = tuple[tuple[int | str, int], tuple[int, int, str, bool]]


def pack(update: OutputUpdate) -> Packed:
    """Return an update as plain values: the receipt of its task, and the output."""
    key, token = update.delivery.receipt
    _, last, keep_from, lines, begins = update.output
    return (key, token), (last, keep_from, lines, begins)


def unpack(holding: Iterable[Delivery], values: Any) -> list[OutputUpdate]:
    """Return the updates that were packed, but for those of tasks that are not among `holding`.

    A task can write to that stream too, so they are checked. Raises one of UNREADABLE.
    """
    found = []
    for receipt, (last, keep_from, lines, begins) in values:
        delivery = next((each for each in holding if each.receipt == receipt), None)
        if delivery is not None:
            output = Output(delivery.attempts + 1, last, keep_from, lines, begins)
            check_output(output)
            found.append(OutputUpdate(delivery, output))
    return found
