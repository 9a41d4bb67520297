"""The dashboard: what runs, waits and failed, in a browser.

`liteq web -A project` serves it on this machine. To mount it in a web application, see `wsgi` and
`asgi`. Nothing is fetched from elsewhere, and pages work without JavaScript.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..app import LiteQ
from .values import Access

if TYPE_CHECKING:
    from .asgi import AsgiDashboard
    from .wsgi import WsgiDashboard

__all__ = ["Access", "asgi", "wsgi"]

Authorize = Callable[[dict[str, Any]], Access | None]


def wsgi(app: LiteQ, *, authorize: Authorize, title: str | None = None) -> "WsgiDashboard":
    """Return the dashboard of `app` as a WSGI application.

    `authorize`: gets the environment of each request, and returns "all" for one who may do
    everything, "read" for one who may only look, None for all others. `title`: as pages name it.
    """
    from .dashboard import Dashboard
    from .wsgi import WsgiDashboard

    return WsgiDashboard(Dashboard(app, title=title), authorize)


def asgi(app: LiteQ, *, authorize: Authorize, title: str | None = None) -> "AsgiDashboard":
    """Return the dashboard of `app` as an ASGI application.

    `authorize`: gets the scope of each request, and returns what it does for `wsgi`.
    """
    from .asgi import AsgiDashboard
    from .dashboard import Dashboard

    return AsgiDashboard(Dashboard(app, title=title), authorize)
