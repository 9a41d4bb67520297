"""The five fields of a crontab: their syntax, and the numbers that they stand for."""

from collections.abc import Iterable
from operator import index
from typing import Any

_DAYS = {
    name: n
    for n, name in enumerate(
        ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
    )
}
_MONTHS = {
    name: n
    for n, name in enumerate(
        (
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ),
        start=1,
    )
}
_NAMES = {(7, 0): _DAYS, (12, 1): _MONTHS}  # by the numbers that a field has

Spec = int | str | Iterable[int | str]
"""The types in which a field may be given."""


class ParseException(ValueError):
    """A field of a crontab that cannot be parsed."""


class crontab_parser:  # noqa: N801 - Celery's name
    """A parser of a field that has `max_` values, from `min_` on.

    A field is a list of parts with commas. A part is `*`, a number, or a range, and a range or `*`
    may have a step: `*/15`, `0,30`, `8-17`, `1-9/2`. Steps count from the start of the range.
    A range whose end is below its start wraps around: `22-4`, `fri-mon`.
    Days of the week and months have names, which may be cut to three letters or more.
    """

    ParseException = ParseException

    def __init__(self, max_: int = 60, min_: int = 0) -> None:
        self.max_ = max_
        self.min_ = min_
        self._names = _NAMES.get((max_, min_), {})

    def parse(self, spec: str) -> set[int]:
        """Return the numbers that `spec` stands for. Raises ParseException, a ValueError."""
        return {number for part in spec.split(",") for number in self._part(part.strip())}

    def _part(self, part: str) -> list[int]:
        if not part:
            raise ParseException("a part is empty")
        whole, slash, step = part.partition("/")
        if whole == "*":
            numbers = list(range(self.min_, self.min_ + self.max_))
        elif "-" in whole.lstrip("-") or slash:
            numbers = self._range(whole)
        else:
            numbers = [self._number(whole)]
        return numbers[:: self._step(step)] if slash else numbers

    def _range(self, text: str) -> list[int]:
        first, dash, last = text.partition("-")
        if not dash:
            raise ParseException(f"a step goes with '*' or a range, not with {text!r}")
        begin, end = self._number(first), self._number(last)
        if begin <= end:
            return list(range(begin, end + 1))
        return [*range(begin, self.min_ + self.max_), *range(self.min_, end + 1)]

    def _number(self, text: str) -> int:
        if text.startswith("-"):
            raise ParseException(f"{text!r} is negative")
        number = int(text) if text.isdecimal() else self._named(text)
        if not self.min_ <= number < self.min_ + self.max_:
            hint = " (sunday is 0)" if self._names is _DAYS else ""
            last = self.min_ + self.max_ - 1
            raise ParseException(f"{text} is not from {self.min_} to {last}{hint}")
        return number

    def _named(self, text: str) -> int:
        for name, number in self._names.items():
            if len(text) >= 3 and name.startswith(text.lower()):
                return number
        known = f", nor any of {', '.join(n[:3] for n in self._names)}" if self._names else ""
        raise ParseException(f"{text!r} is no number{known}")

    @staticmethod
    def _step(text: str) -> int:
        if text.isdecimal() and int(text) > 0:
            return int(text)
        raise ParseException(f"a step is a number above 0, not {text!r}")


def text_of(spec: Any) -> str:
    """Return a field as text, from any type. Raises TypeError for a type that no field has."""
    if isinstance(spec, str):
        return "".join(spec.split())
    try:
        return str(index(spec))
    except TypeError:
        if not isinstance(spec, Iterable):
            raise TypeError(f"{spec!r}: give an int, a text, or a list or set of them") from None
    # Sets have no order, and the stored text should not differ from run to run.
    return ",".join(sorted({text_of(each) for each in spec}, key=lambda t: (len(t), t)))
