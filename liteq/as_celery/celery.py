"""The version of Celery whose API liteq follows."""

from typing import NamedTuple

__all__ = ["VERSION", "__version__", "version_info"]


class _Version(NamedTuple):
    major: int
    minor: int
    micro: int
    releaselevel: str = ""
    serial: str = ""


# Programs compare it.
VERSION: _Version = _Version(5, 6, 0)
version_info: _Version = VERSION
__version__: str = f"{VERSION.major}.{VERSION.minor}.{VERSION.micro}"
