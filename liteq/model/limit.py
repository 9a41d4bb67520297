"""Limits: how many tasks of a key may run at once, and how many may start in a time.

A `Limit` is what the code of an application says. A message has a `LimitUse` of each of its limits,
with the key for its arguments, and all that the store has to know.
"""

import re
from collections.abc import Iterable, Mapping
from math import inf, isfinite
from typing import Any, NamedTuple, cast

from ..exceptions import InvalidTaskError
from .keytemplate import KeyTemplate, check_key, parse
from .message import LIMITED, RATED, Message
from .options import options_of

OPTION = "limits"
"""The name, among the options of a message, of the list of its uses."""
MARK = f'"{OPTION}"'
"""A part of the options' text, if there are uses among them."""

_UNREADABLE = (InvalidTaskError, ValueError, TypeError, RecursionError)
LARGEST = 2**31 - 1
"""The most of a number of tasks."""
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*([smhd]))?\s*")
_SLOWEST = 1e-8  # a second: one in three years
_AHEAD = 0.1  # seconds: as many tasks as that pass ahead of a rate, unless `burst` says


class LimitRule(NamedTuple):
    """The numbers of a limit. None: any number."""

    running: int | None = None  # at once
    rate: float | None = None  # a second
    burst: int | None = None  # that may start at once, with a rate


class LimitUse(NamedTuple):
    """A limit that a task is under, as its message says."""

    key: str
    name: str  # of the limit: the key with `{}` in place of each argument
    cost: int
    rule: LimitRule

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can have it, without what has its usual value."""
        found: dict[str, Any] = {"key": self.key}
        if self.name != self.key:
            found["name"] = self.name
        if self.cost != 1:
            found["cost"] = self.cost
        found.update((name, each) for name, each in self.rule._asdict().items() if each is not None)
        return found


class LimitState(NamedTuple):
    """A limit in the store. Times are epoch seconds."""

    key: str  # with `{}` in it: the numbers of all limits of that name
    name: str
    rule: LimitRule
    fixed: bool  # it was set at run time; else the numbers are those of the last task's code
    held: float | None = None  # none passes before this time
    free: float | None = None  # when `burst` tasks can start at once again
    passed: int = 0  # costs of the tasks that may run or run
    waiting: int = 0  # tasks that stand in its line
    since: float | None = None  # when the first of these began to wait


class Limit:
    """A limit of tasks, shared by all that have one with the same key.

    `Limit("openai", rate="60/m", burst=5)`: 60 tasks start in a minute, at most 5 at once.
    `Limit("acct:{account}", running=2)`: for each value of the parameter `account`, two run at
    once. `cost`: as how many tasks one counts. Raises InvalidTaskError for what is no limit.
    """

    __slots__ = ("cost", "rule", "template")

    def __init__(
        self,
        key: str,
        *,
        rate: str | float | None = None,
        burst: int | None = None,
        running: int | None = None,
        cost: int = 1,
    ) -> None:
        template = parse(key)
        what = f"Limit({key!r})"
        if rate is None and running is None:
            raise InvalidTaskError(
                f"{what} limits nothing: give it rate='60/m', or running=2, or both"
            )
        per_second = None if rate is None else parse_rate(rate, what)
        rule = checked_rule(LimitRule(running, per_second, burst), what)
        self._set(template, rule, checked_cost(cost, rule, what))

    def _set(self, template: KeyTemplate, rule: LimitRule, cost: int) -> None:
        for name, value in (("template", template), ("rule", rule), ("cost", cost)):
            object.__setattr__(self, name, value)

    template: KeyTemplate
    rule: LimitRule
    cost: int

    @property
    def name(self) -> str:
        """Return its name: the key with `{}` in place of each parameter."""
        return self.template.shape

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Limit does not change: make another one, with another {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Limit) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[object, ...]:
        return self.template.text, self.rule, self.cost

    def __reduce__(self) -> tuple[object, ...]:
        return _limit_of, self._parts()

    def __repr__(self) -> str:
        numbers = {
            "rate": None if self.rule.rate is None else rate_text(self.rule.rate),
            "burst": self.rule.burst,
            "running": self.rule.running,
            "cost": None if self.cost == 1 else self.cost,
        }
        given = (f", {name}={value!r}" for name, value in numbers.items() if value is not None)
        return f"Limit({self.template.text!r}{''.join(given)})"


def _limit_of(key: str, rule: LimitRule, cost: int) -> Limit:
    limit = Limit.__new__(Limit)
    limit._set(parse(key), rule, cost)
    return limit


def parse_rate(rate: Any, what: str) -> float:
    """Return how many a second `rate` is: "60/m", "2/h", "10/s", "100/d", or a number.

    Raises InvalidTaskError, which calls the limit `what`.
    """
    found = inf
    if isinstance(rate, str):
        if match := _RATE.fullmatch(rate):
            found = float(match[1]) / _SECONDS[match[2] or "s"]
    elif isinstance(rate, int | float) and not isinstance(rate, bool):
        found = float(rate)
    if isfinite(found) and _SLOWEST <= found <= LARGEST:
        return found
    raise InvalidTaskError(
        f"{what}: the rate {rate!r:.100} is none: give a text such as '60/m', which has a number "
        f"above 0 and s, m, h or d, or a number of tasks a second"
    )


def rate_text(rate: float) -> str:
    """Return a rate as it would be written: "60/m"."""
    for unit, seconds in _SECONDS.items():
        count = rate * seconds
        if count >= 1 and abs(count - round(count)) < 1e-6 * count:
            return f"{round(count)}/{unit}"
    return f"{rate:.6g}/s"


def checked_rule(rule: LimitRule, what: str) -> LimitRule:
    """Return `rule` with a burst if it has a rate. Raises InvalidTaskError for wrong numbers."""
    running, rate, burst = rule
    for name, number in (("running", running), ("burst", burst)):
        if number is not None:
            _check_number(number, name, what)
    if burst is not None and rate is None:
        raise InvalidTaskError(f"{what}: burst={burst} says nothing without a rate")
    return LimitRule(running, rate, default_burst(rate) if burst is None else burst)


def default_burst(rate: float | None) -> int | None:
    """Return how many tasks of a rate start at once where nothing else is said."""
    return None if rate is None else max(1, round(rate * _AHEAD))


def checked_cost(cost: Any, rule: LimitRule, what: str) -> int:
    """Return `cost`. Raises InvalidTaskError for one that is none, or that never passes `rule`."""
    _check_number(cost, "cost", what)
    for name, most in (("running", rule.running), ("burst", rule.burst)):
        if most is not None and cost > most:
            raise InvalidTaskError(
                f"{what}: a task of cost {cost} could never run, with {name}={most}: give it a "
                f"smaller cost, or the limit a larger {name}"
            )
    return int(cost)


def _check_number(number: Any, name: str, what: str) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= LARGEST:
        raise InvalidTaskError(f"{what}: {name} is {number!r:.100}, but must be a whole number > 0")


def uses_of(options: Mapping[str, Any]) -> tuple[LimitUse, ...]:
    """Return the uses that stand in the options of a message; of one key only the first.

    Raises InvalidTaskError for what liteq has not written: any program may have sent it.
    """
    given = options.get(OPTION)
    if given is None:
        return ()
    if not isinstance(given, list):
        raise InvalidTaskError(f"its limits are {given!r:.60}, not a list")
    found: dict[str, LimitUse] = {}
    for use in map(_use_of, given):
        found.setdefault(use.key, use)
    return tuple(found.values())


def _use_of(plain: Any) -> LimitUse:
    if not isinstance(plain, dict):
        raise InvalidTaskError(f"one of its limits is {plain!r:.60}, not an object")
    key = check_key(plain.get("key"), "the key of one of its limits")
    what = f"its limit {key!r}"
    rate = plain.get("rate")
    rule = LimitRule(
        plain.get("running"), None if rate is None else parse_rate(rate, what), plain.get("burst")
    )
    cost = plain.get("cost", 1)
    _check_number(cost, "cost", what)
    name = check_key(plain.get("name", key), "the name of one of its limits")
    return LimitUse(key, name, cast(int, cost), checked_rule(rule, what))


def uses_in(message: Message) -> tuple[LimitUse, ...]:
    """Return the limits of a message; none if they cannot be read: then it fails when it is run."""
    try:
        return uses_of(options_of(message))
    except _UNREADABLE:
        return ()


def mark_of(message: Message) -> int:
    """Return the bits of `Delivery.tied` that say whether a task has limits."""
    uses = uses_in(message) if has_uses(message.options) else ()
    return (LIMITED | RATED if is_rated(uses) else LIMITED) if uses else 0


def has_uses(options: str | None) -> bool:
    """Return whether the options of a message, a JSON text, may have uses."""
    return options is not None and MARK in options


def is_rated(uses: Iterable[LimitUse]) -> bool:
    """Return whether one of the limits is a rate."""
    return any(use.rule.rate is not None for use in uses)
