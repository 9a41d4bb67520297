"""Requests that a dashboard refuses, and what keeps its pages safe."""

import logging
from collections.abc import Callable

import pytest

from liteq import LiteQ
from liteq.web.dashboard import Dashboard
from liteq.web.guard import FORM_COOKIE
from tests.web.conftest import Visitor


@pytest.fixture
def broker_url() -> str:
    return "memory://"


def ready(app: LiteQ) -> list[str]:
    return [job.id for job in app.jobs.list(state="ready")]


def test_who_has_no_access_sees_nothing(dashboard: Dashboard) -> None:
    stranger = Visitor(dashboard, None)
    for path in ("/", "/jobs", "/live", "/static/liteq.css"):
        response = stranger.ask(path)
        assert response.status == 403
        assert b"mail" not in response.body


def test_who_may_only_look_finds_no_buttons_and_changes_nothing(
    dashboard: Dashboard, app: LiteQ
) -> None:
    reader, before = Visitor(dashboard, "read"), ready(app)
    page = reader.look("/jobs")
    assert 'method="post"' not in page
    assert "read only" in page
    form = {"form": [reader.cookies[FORM_COOKIE]], "id": before}

    assert reader.ask("/act/cancel", "POST", form).status == 403
    assert ready(app) == before


def test_a_form_that_no_page_has_shown_is_refused(visitor: Visitor, app: LiteQ) -> None:
    before = ready(app)
    visitor.look("/jobs")
    for token in ("", "wrong", "ü"):
        response = visitor.ask("/act/cancel", "POST", {"form": [token], "id": before})
        assert response.status == 403
    other = Visitor(visitor.dashboard)
    form = {"form": [visitor.cookies[FORM_COOKIE]], "id": before}
    assert other.ask("/act/cancel", "POST", form).status == 403
    assert ready(app) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://shop.example.evil.example"},
    ],
)
def test_a_form_of_another_site_is_refused(
    visitor: Visitor, app: LiteQ, headers: dict[str, str]
) -> None:
    before = ready(app)
    visitor.look("/jobs")
    form = {"form": [visitor.cookies[FORM_COOKIE]], "id": before}

    assert visitor.ask("/act/cancel", "POST", form, **headers).status == 403
    assert ready(app) == before


def test_a_form_of_this_site_is_done(visitor: Visitor, app: LiteQ) -> None:
    visitor.look("/jobs")
    for headers in (
        {"sec_fetch_site": "same-origin", "origin": "http://shop.example"},
        {"origin": "https://shop.example"},
    ):
        form = {"form": [visitor.cookies[FORM_COOKIE]], "id": ready(app)[:1]}
        assert visitor.ask("/act/cancel", "POST", form, **headers).status == 303


def test_a_page_elsewhere_may_link_here_and_read_nothing(visitor: Visitor) -> None:
    followed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    fetched = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "cors"}

    assert visitor.ask("/", **followed).status == 200
    assert visitor.ask("/", **fetched).status == 403
    assert visitor.ask("/live", **fetched).status == 403


def test_a_name_that_is_not_its_own_is_refused(app: LiteQ) -> None:
    visitor = Visitor(Dashboard(app, hosts={"127.0.0.1:5555"}))

    assert visitor.ask("/", host="rebound.example:5555").status == 421
    assert visitor.ask("/", host="").status == 421
    assert visitor.ask("/", host="127.0.0.1:5555").status == 200


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "/a\nb",
    ],
)
def test_a_form_never_leads_away(visitor: Visitor, app: LiteQ, back: str) -> None:
    visitor.look("/jobs")
    form = {"form": [visitor.cookies[FORM_COOKIE]], "id": ready(app)[:1], "back": [back]}
    response = visitor.ask("/act/cancel", "POST", form)

    assert dict(response.headers)["Location"] == "/"


@pytest.mark.parametrize("path", ["/", "/jobs", "/nowhere", "/static/liteq.js", "/job?id=x"])
def test_every_response_keeps_a_browser_from_running_what_is_not_ours(
    visitor: Visitor, path: str
) -> None:
    headers = dict(visitor.ask(path).headers)

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == ("max-age=86400" if "static" in path else "no-store")


def test_cookies_are_for_this_site_alone_and_no_script_reads_them(visitor: Visitor) -> None:
    cookies = [value for name, value in visitor.ask("/").headers if name == "Set-Cookie"]

    assert cookies
    assert all("HttpOnly" in each and "SameSite=Strict" in each for each in cookies)


def test_each_action_leaves_a_line_in_the_log(
    visitor: Visitor, app: LiteQ, caplog: pytest.LogCaptureFixture
) -> None:
    visitor.look("/jobs")
    with caplog.at_level(logging.INFO, "liteq.web"):
        visitor.post("cancel", id=ready(app)[:1])

    assert caplog.messages == ["cancel from ::1: 1 job cancelled"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "get"])
def test_other_methods_are_refused(visitor: Visitor, method: str) -> None:
    assert visitor.ask("/jobs", method).status == 405


def test_a_store_that_fails_fails_one_page(
    visitor: Visitor, app: LiteQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    from liteq.exceptions import BrokerUnavailable

    def fail() -> None:
        raise BrokerUnavailable("the disk is gone")

    monkeypatch.setattr(app.broker, "counts", fail)
    response = visitor.ask("/")
    assert response.status == 503
    assert b"the store cannot be read: the disk is gone" in response.body
    assert visitor.ask("/jobs").status == 200


def test_a_page_that_fails_tells_visitors_nothing_of_the_code(
    visitor: Visitor,
    app: LiteQ,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> Callable[[], None]:
        raise RuntimeError("secret=7")

    monkeypatch.setattr(app.broker, "counts", fail)
    response = visitor.ask("/")

    assert response.status == 500
    assert b"secret" not in response.body
    assert "RuntimeError: secret=7" in caplog.text
