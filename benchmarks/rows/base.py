"""What a row is."""

from dataclasses import dataclass
from typing import Literal

from contenders import RIVALS

Sense = Literal["at least", "at most"]  # more is better, or less

Reading = dict[str, float]
"""The figures of one measurement, by name."""


@dataclass(frozen=True)
class Options:
    """How thoroughly to measure."""

    seconds: float  # how long a rate is measured
    idle: float  # how many seconds an idle worker is watched
    backlog: int  # how many tasks wait in the row about big queues


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure of a measurement, held against a goal and the rivals."""

    key: str
    title: str
    measure: str  # module:function, in this folder
    figure: str
    unit: str
    sense: Sense
    goal: float | None
    ours: str = "liteq-fast"
    rivals: tuple[str, ...] = RIVALS  # those that can be measured alike
    repeat: bool = True  # take the median of several measurements
    deadline: float = 60.0  # seconds for one measurement

    def met(self, value: float) -> bool:
        """Return whether `value` reaches the goal, if there is one."""
        if self.goal is None:
            return True
        return value >= self.goal if self.sense == "at least" else value <= self.goal

    def lead(self, ours: float, theirs: float) -> float:
        """Return how many times better `ours` is than `theirs`."""
        return ours / theirs if self.sense == "at least" else theirs / ours
