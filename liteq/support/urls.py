"""URLs of stores, without their secrets."""

import re

# Passwords hold what they like, a slash or an @ too, so all up to the last @ is taken for one.
_PASSWORD = re.compile(r"(://[^:/?@]*:).*@")
_IN_QUERY = re.compile(r"(?i)([?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=)[^&]*")


def safe_url(url: object) -> str:
    """`url` with passwords and tokens masked, for logs and errors."""
    return _PASSWORD.sub(r"\1***@", _IN_QUERY.sub(r"\1***", str(url)))


def has_secrets(url: str) -> bool:
    """Whether there is something in `url` that not everybody should read."""
    return safe_url(url) != url
