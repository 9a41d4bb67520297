"""The dashboard as a WSGI application (PEP 3333), to be mounted under Flask, Django and others."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from .dashboard import Dashboard
from .forms import LONGEST, form_of
from .values import Access, Request, Response

Environ = dict[str, Any]
Authorize = Callable[[Environ], Access | None]


class WsgiDashboard:
    """A WSGI application that shows a dashboard to whom `authorize` lets."""

    def __init__(self, dashboard: Dashboard, authorize: Authorize) -> None:
        self._dashboard = dashboard
        self._authorize = authorize

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        response = self._dashboard.answer(request_of(environ), self._authorize(environ))
        start_response(_status(response), list(_headers(response)))
        if environ.get("REQUEST_METHOD") == "HEAD":
            return []
        return [response.body] if isinstance(response.body, bytes) else response.body


def request_of(environ: Environ) -> Request:
    """Return the request of an environment of WSGI."""
    headers = {
        name[5:].replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    method = str(environ.get("REQUEST_METHOD", "GET"))
    return Request(
        method=method,
        path=_decoded(environ.get("PATH_INFO")) or "/",
        query=dict(parse_qsl(str(environ.get("QUERY_STRING", "")))),
        headers=headers,
        form=form_of(_body(environ)) if method == "POST" else {},
        mount=_decoded(environ.get("SCRIPT_NAME")).rstrip("/"),
        secure=environ.get("wsgi.url_scheme") == "https",
        client=str(environ.get("REMOTE_ADDR", "")),
    )


def _body(environ: Environ) -> bytes:
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return b""
    if not 0 < length <= LONGEST:
        return b""
    body: bytes = environ["wsgi.input"].read(length)
    return body


def _decoded(text: Any) -> str:
    """Return a path, which WSGI passes as bytes in the disguise of Latin-1."""
    return str(text or "").encode("latin-1", "replace").decode(errors="replace")


def _status(response: Response) -> str:
    return f"{response.status} {HTTPStatus(response.status).phrase}"


def _headers(response: Response) -> Iterable[tuple[str, str]]:
    yield from response.headers
    if isinstance(response.body, bytes):
        yield ("Content-Length", str(len(response.body)))
