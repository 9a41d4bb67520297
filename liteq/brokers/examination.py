"""The state of a store, as `Broker.examine` finds it."""

from typing import Any, NamedTuple


class Finding(NamedTuple):
    """A fault of a store, or a risk."""

    severity: str  # error: tasks are lost, stuck or at risk; warning: act on it; note: know it
    what: str
    cure: str


class Examination(NamedTuple):
    """The state of a store."""

    facts: dict[str, Any]  # values of JSON
    findings: list[Finding]
