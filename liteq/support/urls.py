"""URLs of stores, with their secrets masked."""

import re

# A password may hold any character, even a slash or an @, so it is taken to end at the last @.
# Who writes a URL wrong may have left out the colon or a slash of `://`.
_PASSWORD = re.compile(r"(://[^:/?@]*:|^[a-z+]*:?/{0,2}[^:/?@]*:(?!/)).*@", re.DOTALL)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_IN_QUERY = re.compile(r"(?i)([?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=)[^&]*")


def safe_url(url: object) -> str:
    """Return `url` with passwords and tokens masked, for logs and errors; it may be malformed."""
    return _PASSWORD.sub(r"\1***@", _IN_QUERY.sub(r"\1***", str(url)))


def scheme_of(url: str) -> str:
    """Return the scheme of `url` in lower case; "" if it has none.

    As `urllib.parse` does, which takes 3 ms to import, with `ipaddress`.
    """
    found = _SCHEME.match(url)
    return found[1].lower() if found else ""


def has_secrets(url: str) -> bool:
    """Return whether `url` contains a password or token."""
    return safe_url(url) != url
