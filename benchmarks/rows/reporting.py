"""What it costs a task to say how far it has come."""

from statistics import median

from contenders import Contender
from processes import Failed
from worker import started

from .base import Options, Reading

ROWS_OF_FILE = 1_000_000
TURNS = 3


def progress(contender: Contender, options: Options) -> Reading:
    """Go through a million rows, each of which is said, and through the same in silence, by turns;
    return how many times as much processor time the task takes."""
    from liteq_project import parse

    took: dict[str, list[float]] = {"silent": [], "loop": [], "calls": []}
    with started(contender, processes=1):
        contender.add_and_get(1, 1)  # it is up
        for _ in range(TURNS):
            for how, seconds in took.items():
                result = parse.delay(ROWS_OF_FILE, how)
                seconds.append(result.get(timeout=120))
                found = result.progress and result.progress.fraction
                expected = {"silent": None, "loop": 1.0, "calls": 1 - 1 / ROWS_OF_FILE}[how]
                if found != expected:
                    raise Failed(f"a task that was {how} had come to {found!r}")
    loop, calls = (
        median(a / b for a, b in zip(took[how], took["silent"], strict=True))
        for how in ("loop", "calls")
    )
    return Reading(loop=loop, calls=calls)
