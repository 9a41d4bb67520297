"""A store in which something has happened, and a visitor without a browser."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from liteq import LiteQ, chord
from liteq.testing import drain
from liteq.web.dashboard import Dashboard
from liteq.web.values import Access, Request, Response

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    name = "store" if request.param == "sqlite" else "redis_store"
    return str(request.getfixturevalue(name))


@pytest.fixture
def app(broker_url: str) -> Iterator[LiteQ]:
    """An application with tasks in all states."""
    app = LiteQ("shop", broker=broker_url, set_as_current=False)

    @app.task(name="mail", acks_late=True)
    def mail(to: Any = None) -> Any:
        return to

    @app.task(name="bad")
    def bad(text: str) -> None:
        raise ValueError(text)

    mail.delay("ann")
    bad.delay(HOSTILE)
    drain(app)
    mail.apply_async(("bob",), countdown=3600, headers={"customer": "17"})
    mail.apply_async(("eve",), queue="newsletter")
    chord([mail.s(1), mail.s(2)], mail.s()).delay()
    app.schedules.add("nightly", 3600.0, "mail", ("all",))
    yield app
    app.close()


class Visitor:
    """One who keeps cookies, follows redirects, and sends the forms that pages show."""

    def __init__(self, dashboard: Dashboard, access: Access | None = "all") -> None:
        self.dashboard = dashboard
        self.access: Access | None = access
        self.cookies: dict[str, str] = {}
        self.page = ""

    def ask(
        self,
        url: str,
        method: str = "GET",
        form: dict[str, list[str]] | None = None,
        /,
        **headers: str,
    ) -> Response:
        """Return the response; headers are given with underscores."""
        parts = urlsplit(url)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = {"host": "shop.example", "cookie": cookie, **sent}
        request = Request(
            method, parts.path, dict(parse_qsl(parts.query)), given, form or {}, "", False, "::1"
        )
        response = self.dashboard.answer(request, self.access)
        for name, value in response.headers:
            if name == "Set-Cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return response

    def look(self, url: str) -> str:
        """Return the page at `url`, which must be there."""
        response = self.ask(url)
        assert response.status == 200, response
        assert isinstance(response.body, bytes)
        self.page = response.body.decode()
        return self.page

    def post(self, action: str, **fields: Any) -> str:
        """Send a form of the last page, follow where it leads, and return that page."""
        token = self.cookies["liteq-form"]
        values = {name: each if isinstance(each, list) else [each] for name, each in fields.items()}
        response = self.ask(f"/act/{action}", "POST", {"form": [token], **values})
        if response.status == 303:
            return self.look(dict(response.headers)["Location"])
        assert response.status == 200, response
        assert isinstance(response.body, bytes)
        return response.body.decode()


@pytest.fixture
def dashboard(app: LiteQ) -> Iterator[Dashboard]:
    dashboard = Dashboard(app)
    yield dashboard
    dashboard.close()


@pytest.fixture
def visitor(dashboard: Dashboard) -> Visitor:
    return Visitor(dashboard)


class Elements(HTMLParser):
    """All elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
