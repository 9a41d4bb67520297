"""Tables of pages: a head, and rows of which the first cell names the row."""

from collections.abc import Iterable, Mapping, Sequence

from .html import Html, Part, el


def table(heads: Sequence[Part], rows: Iterable[Sequence[Part]]) -> Html:
    """Return a table that scrolls sideways where the window is narrow."""
    head = el("tr", [el("th", each, scope="col") for each in heads])
    body = [
        el("tr", el("th", first, scope="row"), [el("td", each) for each in rest])
        for first, *rest in rows
    ]
    whole = el("table", el("thead", head), el("tbody", body))
    # Who has no mouse scrolls it once it has the focus.
    return el("div", whole, class_="wide", tabindex=0, role="region", aria_label="Table")


def listing(heads: Sequence[Part], rows: Sequence[Sequence[Part]], empty: str) -> Html:
    """Return a table, or the words for that there is nothing."""
    return table(heads, rows) if rows else el("p", empty, class_="empty")


def tabs(label: str, links: Mapping[str, str], chosen: str) -> Html:
    """Return links to forms of one page, by their names; `chosen`: which one is shown."""
    shown = [
        el("a", name, href=url, aria_current="true" if name == chosen else None)
        for name, url in links.items()
    ]
    return el("nav", shown, class_="tabs", aria_label=label)


def section(title: str, *parts: Part, id: str | None = None) -> Html:
    """Return a part of a page under a heading."""
    return el("section", el("h2", title), *parts, id=id)
