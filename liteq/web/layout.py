"""The frame of every page: head, navigation, and what was just done."""

from typing import NamedTuple

from ..version import __version__
from .html import Html, Part, el, join
from .visit import Visit

SCREENS = {
    "/": "Overview",
    "/jobs": "Jobs",
    "/queues": "Queues",
    "/workers": "Workers",
    "/schedules": "Schedules",
    "/workflows": "Workflows",
    "/dead": "Dead",
    "/performance": "Performance",
}


class Page(NamedTuple):
    """Hold what a screen shows."""

    title: str
    body: Part
    screen: str = ""  # the path of the screen in the navigation that it belongs to
    live: bool = True  # it can be loaded again, and so follows the store


def whole(visit: Visit, page: Page, said: str = "") -> str:
    """Return the document of a page. `said`: what was just done."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{page.title} - {visit.title}"),
        el("link", rel="icon", href=visit.url("/static/icon.svg"), type="image/svg+xml"),
        el("link", rel="stylesheet", href=visit.url("/static/liteq.css", _VERSION)),
        el("script", src=visit.url("/static/liteq.js", _VERSION), defer=True),
    )
    body = el(
        "body",
        el("a", "Skip to the content", href="#content", class_="skip"),
        _navigation(visit, page),
        el(
            "main",
            el("p", said, role="status", class_="said") if said else None,
            el("h1", page.title),
            page.body,
            id="content",
            tabindex=-1,
            data_live=visit.url("/live") if page.live else None,
        ),
    )
    return "<!DOCTYPE html>\n" + el("html", head, body, lang="en")


_VERSION: dict[str, str | None] = {"v": __version__}


def _navigation(visit: Visit, page: Page) -> Html:
    items = [
        el(
            "li",
            el(
                "a",
                name,
                href=visit.url(path),
                aria_current="page" if path == page.screen else None,
            ),
        )
        for path, name in SCREENS.items()
    ]
    look = el("span", "read only", class_="tag") if not visit.may_act else None
    return el(
        "header",
        el("a", el("strong", visit.title), href=visit.url("/"), class_="brand"),
        look,
        el("nav", el("ul", items), aria_label="Screens"),
        el("p", visit.app.broker.url, class_="store"),
    )


def error_body(words: str) -> Html:
    """Return what a page says when a request was not done."""
    return join(el("p", words, class_="alarm", role="alert"))
