"""The progress of a run: how far a task has come, as it says itself."""

from math import isfinite
from typing import NamedTuple

from ..exceptions import InvalidTaskError
from .checks import NUMBER, TEXT, TIME, UNREADABLE, Shape, is_text, shown
from .message import Receipt

LONGEST_TEXT = 1000
"""Characters of a text, of which the rest is cut off."""

_LARGEST = 2**53  # up to which a float holds every whole number, and JSON in any language
_SHAPE = Shape(done=NUMBER, total=TIME, rate=TIME, text=TEXT, at=NUMBER)


class Progress(NamedTuple):
    """How far a run of a task has come, or a group of tasks.

    Of a group, `done` and `total` count tasks, and one that runs counts for what it has done of
    its own total.
    """

    done: float = 0
    total: float | None = None  # None: it is not known how much there is to do
    rate: float | None = None  # done a second, of late; None: not known yet
    text: str = ""  # what is done
    at: float = 0.0  # when this was so, in epoch seconds

    @property
    def fraction(self) -> float | None:
        """Return how much is done of all, from 0.0 to 1.0; None if the total is not known."""
        if self.total is None:
            return None
        return 1.0 if self.total <= 0 else min(max(self.done / self.total, 0.0), 1.0)

    @property
    def remaining(self) -> float | None:
        """Return the seconds that the rest takes at this rate; None if that is not known."""
        if self.total is None or not self.rate or self.rate < 0:
            return 0.0 if self.fraction == 1.0 else None
        return max(self.total - self.done, 0.0) / self.rate


class ProgressReport(NamedTuple):
    """The progress of one claimed task."""

    receipt: Receipt
    progress: Progress


def check_progress(progress: Progress) -> None:
    """Raise InvalidTaskError unless `progress` is one that liteq could have made."""
    _SHAPE.check(progress)
    for name in ("done", "total", "rate", "at"):
        value = getattr(progress, name)
        if value is not None and not (isfinite(value) and abs(value) <= _LARGEST):
            raise InvalidTaskError(f"its {name} is {shown(value)}, which is too large")
    if len(progress.text) > LONGEST_TEXT or not is_text(progress.text):
        raise InvalidTaskError(f"its text is {shown(progress.text)}, which cannot be stored")


def to_json(progress: Progress) -> str:
    """Return `progress` as it is stored."""
    import json  # few tasks report any, and all programs import this module

    fields = progress._asdict().items()
    return json.dumps({name: value for name, value in fields if value not in (None, "")})


def of_json(text: str | bytes) -> Progress | None:
    """Return the progress that `to_json` has written; None for what it has not.

    Another program may have written it, and a bar that is not drawn harms nobody.
    """
    import json

    try:
        progress = Progress(**json.loads(text))
        check_progress(progress)
    except UNREADABLE:
        return None
    return progress
