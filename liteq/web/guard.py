"""Refuse what another site asks for, and add the headers that keep a page safe in a browser."""

import secrets
from collections.abc import Collection
from hmac import compare_digest

from .values import Refused, Request, Response

FORM_COOKIE = "liteq-form"
"""Name the cookie with a random text that each form which changes something holds as well: only
pages of this site can know it."""

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),  # with none at all, forms would have the origin "null"
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def check_host(request: Request, hosts: Collection[str] | None) -> None:
    """Raise Refused for a name by which this dashboard is not to be reached.

    So a page elsewhere cannot reach it by a name of its own that leads here. None: all are right.
    """
    host = request.headers.get("host", "")
    if hosts is not None and host not in hosts:
        raise Refused(421, f"this dashboard is not at {host!r}: use the address that it printed")


def check_origin(request: Request) -> None:
    """Raise Refused for a request that a page of another site makes in the visitor's browser."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    navigates = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
    if site not in ("same-origin", "none") and not navigates:
        raise Refused(403, "this request comes from a page of another site")
    origin = request.headers.get("origin")
    if request.method == "POST" and origin is not None:
        scheme = "https" if request.secure else "http"
        host = request.headers.get("host", "")
        # Behind a proxy that speaks https the scheme is not known here.
        if origin not in (f"{scheme}://{host}", f"https://{host}"):
            raise Refused(403, "this form comes from a page of another site")


def check_form(request: Request) -> None:
    """Raise Refused for a form that no page of this dashboard has shown to this visitor."""
    expected = request.cookies.get(FORM_COOKIE, "")
    if not (expected and compare_digest(expected.encode(), request.posted("form").encode())):
        raise Refused(403, "this form is too old, or cookies are blocked: load the page again")


def form_token(request: Request) -> str:
    """Return the text of `FORM_COOKIE`: the visitor's own, or a new one."""
    known = request.cookies.get(FORM_COOKIE, "")
    return known if len(known) == 43 and known.isascii() else secrets.token_urlsafe(32)


def cookie(name: str, value: str, request: Request, seconds: int | None = None) -> tuple[str, str]:
    """Return the header that sets a cookie, for `seconds`, or until the browser is closed."""
    parts = [f"{name}={value}", f"Path={request.mount}/", "HttpOnly", "SameSite=Strict"]
    if request.secure:
        parts.append("Secure")
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    return ("Set-Cookie", "; ".join(parts))


def guarded(response: Response) -> Response:
    """Return the response with the headers that keep a page safe. Files say how they are cached."""
    cached = any(name == "Cache-Control" for name, _ in response.headers)
    return response.having(*_HEADERS, *(() if cached else (("Cache-Control", "no-store"),)))
