"""The files of the dashboard: style, script, icon. None comes from elsewhere."""

import os
from functools import cache
from pkgutil import get_data

from .values import Refused, Response

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_NAMES = ("icon.svg", "liteq.css", "liteq.js")


def file(name: str) -> Response:
    """Return a file of the folder `static`. Raises Refused for another one."""
    if name not in _NAMES:
        raise Refused(404, "there is no such file")
    kind = _KINDS[os.path.splitext(name)[1]]
    headers = (
        ("Content-Type", f"{kind}; charset=utf-8"),
        ("Cache-Control", "max-age=86400"),  # seconds; links name the version
    )
    return Response(200, headers, _read(name))


@cache
def _read(name: str) -> bytes:
    data = get_data(__package__, f"static/{name}")
    assert data is not None, f"{name} is missing from the installation"
    return data
