"""The dashboard: from a request to its response."""

import logging
from collections.abc import Collection
from http import HTTPStatus

from ..app import LiteQ
from ..exceptions import BrokerError
from . import assets
from .actions import act
from .guard import (
    FORM_COOKIE,
    check_form,
    check_host,
    check_origin,
    cookie,
    form_token,
    guarded,
)
from .layout import Page, error_body, whole
from .live import Pulse
from .screens import screen_of
from .values import Access, Refused, Request, Response, html_response, redirect
from .visit import Visit

SAID_COOKIE = "liteq-said"  # what was just done, for the next page

_logger = logging.getLogger("liteq.web")


class Dashboard:
    """The dashboard of `app`.

    `title`: as pages name it; the application's name unless given. `hosts`: the values of the
    header Host that it answers to; None for all, where a server before it takes care.
    """

    def __init__(
        self, app: LiteQ, *, title: str | None = None, hosts: Collection[str] | None = None
    ) -> None:
        self._app = app
        self._title = title or app.main or "liteq"
        self._hosts = hosts
        self._pulse = Pulse(app)

    def answer(self, request: Request, access: Access | None) -> Response:
        """Return the response to a request of one who has `access`; None for none."""
        try:
            return guarded(self._answer(request, access))
        except Refused as exc:
            return guarded(self._failed(request, access, exc.status, exc.words))
        except BrokerError as exc:
            return guarded(self._failed(request, access, 503, f"the store cannot be read: {exc}"))
        except Exception:
            _logger.exception("%s %s failed", request.method, request.path)
            words = "this page failed: the log of this server says why"
            return guarded(self._failed(request, access, 500, words))

    def close(self) -> None:
        """End what is open: live updates, and the thread that watches the store."""
        self._pulse.close()

    def _answer(self, request: Request, access: Access | None) -> Response:
        check_host(request, self._hosts)
        check_origin(request)
        if access is None:
            raise Refused(403, "you may not see this dashboard")
        if request.path.startswith("/static/"):
            return assets.file(request.path.removeprefix("/static/"))
        visit = Visit(self._app, self._title, request, access, form_token(request))
        if request.method == "POST":
            return self._act(visit)
        if request.method not in ("GET", "HEAD"):
            raise Refused(405, f"{request.method} is not done here")
        if request.path == "/live":
            return self._pulse.stream()
        return self._show(visit)

    def _show(self, visit: Visit) -> Response:
        request, said = visit.request, visit.request.cookies.get(SAID_COOKIE, "")
        text = whole(visit, screen_of(request.path)(visit), _decoded(said))
        response = html_response(text)
        if request.cookies.get(FORM_COOKIE) != visit.token:
            response = response.having(cookie(FORM_COOKIE, visit.token, request))
        if said:
            response = response.having(cookie(SAID_COOKIE, "", request, 0))
        return response

    def _act(self, visit: Visit) -> Response:
        request = visit.request
        check_form(request)
        if not visit.may_act:
            raise Refused(403, "you may look at this dashboard, and change nothing")
        name = request.path.removeprefix("/act/")
        done = act(name, visit)
        if isinstance(done, Page):  # it wants to be asked first
            return html_response(whole(visit, done))
        _logger.info("%s from %s: %s", name, request.client or "?", done)
        back = request.posted("back")
        to = back if _is_local(back, request.mount) else visit.url("/")
        return redirect(to).having(cookie(SAID_COOKIE, _encoded(done), request, 30))

    def _failed(self, request: Request, access: Access | None, status: int, words: str) -> Response:
        if access is None:
            return html_response(str(error_body(words)), status)
        visit = Visit(self._app, self._title, request, access, form_token(request))
        title = HTTPStatus(status).phrase
        return html_response(whole(visit, Page(title, error_body(words), live=False)), status)


def _is_local(address: str, mount: str) -> bool:
    """Return whether `address` is that of a page here. Browsers take a backslash for a slash."""
    local = address.startswith(f"{mount}/") and not address.startswith("//")
    return local and address.isprintable() and "\\" not in address


def _encoded(said: str) -> str:
    return said.encode().hex()[:2000]


def _decoded(said: str) -> str:
    try:
        return bytes.fromhex(said).decode(errors="replace")
    except ValueError:
        return ""
