"""Uses of Celery in a project, and what becomes of each of them with liteq."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """The state of a use of Celery, in the order in which people want to see them."""

    MISSING = "missing"  # the program would fail there, or lose what it asks for
    UNREAD = "unread"  # a file that cannot be judged
    DIFFERS = "differs"  # it is accepted, and does something else, or nothing
    WORKS = "works"


class Verdict(NamedTuple):
    """A state and its reason, which is empty for what works."""

    state: State
    why: str = ""


WORKS: Verdict = Verdict(State.WORKS)


def missing(why: str) -> Verdict:
    """Return the verdict that something is missing, and why."""
    return Verdict(State.MISSING, why)


def differs(why: str) -> Verdict:
    """Return the verdict that something differs, and how."""
    return Verdict(State.DIFFERS, why)


class Use(NamedTuple):
    """One use of Celery in a file: `what` is how the file writes it, in short."""

    line: int
    what: str
    verdict: Verdict


class Finding(NamedTuple):
    """One use of Celery in a project. `file` is its path below the folder that was read."""

    file: str
    line: int  # 0: the file as a whole
    use: str
    state: State
    why: str

    @classmethod
    def of(cls, file: str, use: Use) -> "Finding":
        """Return the finding of `use` in `file`."""
        return cls(file, use.line, use.what, *use.verdict)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return `findings`: what must be changed first, then by file and line.

    Of several about one use in one line, the worst is kept.
    """
    states = list(State)
    kept: dict[tuple[str, int, str], Finding] = {}
    for each in sorted(findings, key=lambda each: (states.index(each.state), each)):
        kept.setdefault(each[:3], each)
    return list(kept.values())
