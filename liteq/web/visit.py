"""A visit: one request, and what a page needs to answer it."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from ..app import LiteQ
from .html import Html, Part, el
from .values import Access, Request


class Visit(NamedTuple):
    """One request to a dashboard."""

    app: LiteQ
    title: str  # of the dashboard
    request: Request
    access: Access
    token: str  # see `FORM_COOKIE` in guard.py

    @property
    def may_act(self) -> bool:
        """Return whether the visitor may change something."""
        return self.access == "all"

    def asked(self, name: str) -> str:
        """Return what the address says about `name`; empty for nothing."""
        return self.request.query.get(name, "").strip()

    def url(self, path: str, query: Mapping[str, str | None] | None = None) -> str:
        """Return the address of a page."""
        given = {name: value for name, value in (query or {}).items() if value}
        return self.request.mount + path + (f"?{urlencode(given)}" if given else "")

    def here(self, **changes: str | None) -> str:
        """Return the address of this page, with other values in its query."""
        return self.url(self.request.path, {**self.request.query, **changes})

    def link(self, text: Part, path: str, **query: str | None) -> Html:
        """Return a link to a page."""
        return el("a", text, href=self.url(path, query))

    def form(
        self, action: str, *parts: Part, class_: str | None = None, id: str | None = None
    ) -> Html:
        """Return a form that does `action`, and leads back to this page."""
        return el(
            "form",
            el("input", type="hidden", name="form", value=self.token),
            el("input", type="hidden", name="back", value=self.here()),
            *parts,
            method="post",
            action=self.url(f"/act/{action}"),
            class_=class_,
            id=id,
        )

    def button(self, text: str, action: str, class_: str = "", **fields: str) -> Html | None:
        """Return a button that does `action` with `fields`; None for who may only look."""
        if not self.may_act:
            return None
        hidden = [el("input", type="hidden", name=key, value=fields[key]) for key in fields]
        return self.form(action, hidden, el("button", text, class_=class_ or None), class_="inline")
