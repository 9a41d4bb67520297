"""The dashboard as an ASGI application, to be mounted under FastAPI, Starlette and others.

See https://asgi.readthedocs.io/en/latest/specs/www.html. Pages are made in threads, as the store is
read in them; each page that is open live has a thread of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

from .dashboard import Dashboard
from .forms import LONGEST, form_of
from .values import Access, Request, Response

Scope = dict[str, Any]
Authorize = Callable[[Scope], Access | None]


class AsgiDashboard:
    """An ASGI application that shows a dashboard to whom `authorize` lets."""

    def __init__(self, dashboard: Dashboard, authorize: Authorize) -> None:
        self._dashboard = dashboard
        self._authorize = authorize

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the dashboard of liteq is for http, not for {scope['type']}")
        body = await _body(receive) if scope["method"] == "POST" else b""
        request, access = request_of(scope, body), self._authorize(scope)
        response = await asyncio.to_thread(self._dashboard.answer, request, access)
        await send(_start(response))
        if scope["method"] == "HEAD" or isinstance(response.body, bytes):
            whole = b"" if scope["method"] == "HEAD" else response.body
            await send({"type": "http.response.body", "body": whole})
        else:
            await _stream(response.body, receive, send)


def request_of(scope: Scope, body: bytes) -> Request:
    """Return the request of a scope of ASGI."""
    mount = str(scope.get("root_path", "")).rstrip("/")
    path = str(scope["path"])
    if mount and path.startswith(f"{mount}/"):  # as Starlette passes it on
        path = path.removeprefix(mount)
    client = scope.get("client")
    return Request(
        method=str(scope["method"]),
        path=path or "/",
        query=dict(parse_qsl(_text(scope.get("query_string", b"")))),
        headers={_text(name).lower(): _text(value) for name, value in scope["headers"]},
        form=form_of(body),
        mount=mount,
        secure=scope.get("scheme") == "https",
        client=str(client[0]) if client else "",
    )


def _text(data: bytes) -> str:
    return data.decode("latin-1")


async def _body(receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes:
    body, more = b"", True
    while more and len(body) <= LONGEST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body if len(body) <= LONGEST else b""


def _start(response: Response) -> dict[str, Any]:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers]
    return {"type": "http.response.start", "status": response.status, "headers": headers}


async def _stream(
    pieces: Iterator[bytes],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Send pieces as they come, until the page is closed."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes | None]()
    left = False

    def read() -> None:
        for piece in pieces:
            if left:
                break
            loop.call_soon_threadsafe(queue.put_nowait, piece)
        loop.call_soon_threadsafe(queue.put_nowait, None)

    async def leave() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        queue.put_nowait(None)

    Thread(target=read, name="liteq-web-live", daemon=True).start()
    leaving = asyncio.ensure_future(leave())
    try:
        while (piece := await queue.get()) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        left = True
        leaving.cancel()
