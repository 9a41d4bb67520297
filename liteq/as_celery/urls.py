"""URLs as programs write and show them with kombu: `kombu.utils.url`."""

from urllib.parse import quote

from ..support.urls import safe_url as maybe_sanitize_url

__all__ = ["maybe_sanitize_url", "safequote"]


def safequote(string: str, safe: str = "") -> str:
    """Return `string` as it stands in a URL, such as a password; `safe`: characters to keep."""
    return quote(string, safe=safe)
