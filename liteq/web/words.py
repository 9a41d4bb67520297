"""Numbers, times and states, as pages show them."""

from datetime import tzinfo

from ..support.zones import iso_time, wall_time
from .html import Html, el

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def number(value: int) -> str:
    """Return a whole number with its thousands apart: 12,345."""
    return f"{value:,}"


def seconds(value: float | None) -> str:
    """Return a duration, to three digits at most; a hyphen for None."""
    if value is None:
        return "-"
    if value < 0.001:
        return f"{value * 1e6:.3g} us"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    for length, unit in _UNITS:
        if value >= 2 * length:
            return f"{value / length:.3g} {unit}"
    return f"{value:.3g} s"


def moment(value: float | None, zone: tzinfo) -> Html | None:
    """Return a time of the store, by the clocks of `zone`; the script adds how long ago it was."""
    if value is None:
        return None
    return el("time", wall_time(value, zone), datetime=iso_time(value))


def state(name: str) -> Html:
    """Return the name of a phase, as a tag in its colour."""
    return el("span", name, class_=f"state {name}")
