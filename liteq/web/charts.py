"""Charts, drawn as SVG: no script is needed for them, and colours are those of the page."""

from collections.abc import Mapping, Sequence

from ..model.summary import Period
from .html import Html, el
from .words import number

_WIDTH, _HEIGHT = 600, 120
_SMALL = (120, 24)
GROUPS: Mapping[str, Sequence[str]] = {
    "succeeded": ("succeeded",),
    "again": ("retry", "lost"),
    "failed": ("failed", "dead", "cancelled", "expired"),
}
"""The parts of a column, from below, and the outcomes in them."""


def columns(periods: Sequence[Period], title: str) -> Html:
    """Return a chart with a column for each period: how many tasks ended, by how they did."""
    highest = max((sum(each.ended.values()) for each in periods), default=0) or 1
    width = _WIDTH / max(len(periods), 1)
    bars = [_column(each, n * width, width, highest) for n, each in enumerate(periods)]
    total = sum(sum(each.ended.values()) for each in periods)
    return el(
        "svg",
        el("title", f"{title}: {number(total)} in all, at most {number(highest)} in one period"),
        el("line", x1=0, x2=_WIDTH, y1=_HEIGHT, y2=_HEIGHT, class_="axis"),
        bars,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT + 1}",
        preserveAspectRatio="none",
        role="img",
        class_="chart",
    )


def sparkline(periods: Sequence[Period]) -> Html | None:
    """Return a small chart of how many tasks ended in each period; None without any."""
    numbers = [sum(each.ended.values()) for each in periods]
    highest = max(numbers, default=0)
    if not highest:
        return None
    step = _SMALL[0] / max(len(numbers), 1)
    points = " ".join(
        f"{n * step:.1f},{_SMALL[1] - each / highest * (_SMALL[1] - 2):.1f}"
        for n, each in enumerate(numbers)
    )
    return el(
        "svg",
        el("title", f"{number(sum(numbers))} in all, at most {number(highest)} in one period"),
        el("polyline", points=points),
        viewBox=f"0 0 {_SMALL[0]} {_SMALL[1]}",
        width=_SMALL[0],
        height=_SMALL[1],
        role="img",
        class_="spark",
    )


def _column(period: Period, x: float, width: float, highest: int) -> list[Html]:
    found, top = [], float(_HEIGHT)
    for name, outcomes in GROUPS.items():
        n = sum(period.ended.get(each, 0) for each in outcomes)
        if n:
            height = max(n / highest * _HEIGHT, 1.0)
            top -= height
            found.append(
                el(
                    "rect",
                    el("title", f"{number(n)} {name}"),
                    x=f"{x:.1f}",
                    y=f"{max(top, 0.0):.1f}",
                    width=f"{max(width - 1, 1):.1f}",
                    height=f"{height:.1f}",
                    class_=name,
                )
            )
    return found
