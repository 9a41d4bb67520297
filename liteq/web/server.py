"""A server of its own for the dashboard: `liteq web`."""

import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socket import AF_INET6
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .dashboard import Dashboard
from .forms import LONGEST, form_of
from .guard import cookie, guarded
from .html import el
from .login import COOKIE, Login
from .values import Request, Response, html_response, redirect

_SILENT_FOR = 30.0  # seconds after which a connection on which nothing comes is closed


class Server(ThreadingHTTPServer):
    """Serves a dashboard on one address of this machine."""

    daemon_threads = True  # a page that is open does not keep the program from ending

    def __init__(
        self, address: tuple[str, int], dashboard: Dashboard, login: Login, told: Callable[[], None]
    ) -> None:
        if ":" in address[0]:
            self.address_family: int = AF_INET6
        self.dashboard = dashboard
        self.login = login
        self.told = told  # is called when the link was used, to tell the next one
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Treat a visitor who went away as no error; print all else with its traceback."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def is_loopback(host: str) -> bool:
    """Return whether `host` is an address, or the name, of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def hosts_of(host: str, port: int) -> set[str]:
    """Return the values of the header Host by which a server at `host` is reached."""
    names = {"localhost", "127.0.0.1", "[::1]"} if is_loopback(host) else {host}
    return {f"{name}:{port}" for name in names} | (names if port == 80 else set())


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = _SILENT_FOR
    server_version = "liteq"
    sys_version = ""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing: what visitors do is in the log of the dashboard."""

    def _serve(self) -> None:
        request = self._request()
        response = self._enter(request)
        if response is None:
            response = self.server.dashboard.answer(request, self.server.login.access(request))
        self._send(response)

    def _request(self) -> Request:
        url = urlsplit(self.path)
        return Request(
            method=self.command,
            path=url.path or "/",
            query=dict(parse_qsl(url.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            form=form_of(self._body()),
            mount="",
            secure=False,
            client=str(self.client_address[0]),
        )

    def _body(self) -> bytes:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= LONGEST:
            self.close_connection = True  # what follows cannot be told from the next request
            return b""
        return self.rfile.read(length)

    def _enter(self, request: Request) -> Response | None:
        """Return the response to one who logs in, or has to; None for all others."""
        login = self.server.login
        if request.method == "GET" and (key := request.query.get("key")):
            session = login.enter_by_key(key)
            if session is not None:
                self.server.told()
                return guarded(redirect("/").having(cookie(COOKIE, session, request)))
        if login.access(request) is not None or request.path.startswith("/static/"):
            return None
        if request.method == "POST" and request.path == "/login":
            session = login.enter_by_password(request.posted("password"))
            if session is not None:
                return guarded(redirect("/").having(cookie(COOKIE, session, request)))
        return guarded(html_response(_login_page(by_password=login.by_password), 401))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if isinstance(response.body, bytes):
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)
            return
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        for piece in response.body:
            self.wfile.write(piece)


def _login_page(*, by_password: bool) -> str:
    words = "This dashboard opens by the link that its server has printed. Each works once."
    names = {"id": "password", "name": "password", "autocomplete": "current-password"}
    form = el(
        "form",
        el("label", "Password", for_="password"),
        el("input", type="password", **names),
        el("button", "Log in"),
        method="post",
        action="/login",
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", "liteq: log in"),
        el("link", rel="stylesheet", href="/static/liteq.css"),
    )
    body = el("body", el("main", el("h1", "Log in"), form if by_password else el("p", words)))
    return "<!DOCTYPE html>\n" + el("html", head, body, lang="en")
