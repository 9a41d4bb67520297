"""Limits of tasks: arguments and replies of their scripts, of which limiting.lua does the work."""

from collections.abc import Iterable, Iterator
from typing import Any

from ...model.checks import UNREADABLE
from ...model.limit import LimitRule, LimitState, has_uses, uses_in
from ...model.message import Message
from ..examination import Finding
from .replies import fields_of, moment, read_text

Arguments = list[str | bytes | int | float]


def limit_fields(message: Message) -> Arguments:
    """Return the fields and values of a task that scripts need of its limits; none without any."""
    text = limits_text(message)
    if not text:
        return []
    expires = message.expires
    return ["limits", text, *(() if expires is None else ("expires", expires))]


def limits_text(message: Message) -> str:
    """Return the limits of a task as scripts read them: six lines for each of them."""
    if not has_uses(message.options):
        return ""
    return "".join(
        f"{'' if each is None else each}\n"
        for key, name, cost, rule in uses_in(message)
        for each in (key, name, cost, *rule)
    )


def rule_args(rule: LimitRule) -> Arguments:
    """Return the numbers of a limit. Read by set_limit.lua."""
    return ["" if each is None else each for each in rule]


def limits_of(keys: Iterable[str], replies: Iterable[Any]) -> list[LimitState]:
    """Return limits, from limits.lua; none for what liteq has not written."""
    found = []
    for key, reply in zip(keys, replies, strict=True):
        if reply is not None:
            try:
                found.append(_limit_of(key, *reply))
            except UNREADABLE:
                continue
    return found


def findings_of_lines(standing: int, leaked: int) -> Iterator[Finding]:
    """Yield what is wrong, by the reply of left_lines.lua."""
    if standing or leaked:
        yield Finding(
            "error",
            f"{standing} tasks wait for limits, and nobody lets them pass; {leaked} places are "
            f"taken by tasks that have ended",
            "another program has deleted a key, or has written there; --repair lets them pass",
        )


def _limit_of(
    key: str, fields: list[bytes], costs: list[bytes], waiting: int, since: bytes | None
) -> LimitState:
    get = fields_of(fields).get
    running, rate, burst = moment(get(b"running")), moment(get(b"rate")), moment(get(b"burst"))
    rule = LimitRule(
        None if running is None else int(running), rate, None if burst is None else int(burst)
    )
    return LimitState(
        key,
        read_text(get(b"name")) or key,
        rule,
        fixed=get(b"fixed") == b"1",
        held=moment(get(b"held")),
        free=moment(get(b"free")),
        passed=sum(map(int, costs)),
        waiting=waiting,
        since=moment(since),
    )
