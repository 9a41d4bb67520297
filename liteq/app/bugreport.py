"""The report on an application for those who look for a fault, in the form of Celery's."""

import platform
import sqlite3
import sys

from ..result.app import App
from ..version import __version__

_FORM = """
software -> liteq:{version} py:{python}
            {drivers}
platform -> system:{system} arch:{architecture}
            kernel version:{kernel} imp:{implementation}
loader   -> {loader}
settings -> transport:{url} results:{url}

{settings}
"""


def bug_report(app: App) -> str:
    """Return the versions, the system and the settings of this process, without secrets."""
    return _FORM.format(
        version=__version__,
        python=platform.python_version(),
        drivers=_drivers(),
        system=platform.system(),
        architecture=", ".join(filter(None, platform.architecture())),
        kernel=platform.release(),
        implementation=platform.python_implementation(),
        loader=f"{type(app).__module__}.{type(app).__qualname__}",
        url=app.broker.url,
        settings=app.conf.humanize(),
    )


def _drivers() -> str:
    """Return the versions of what stores are reached by."""
    redis = sys.modules.get("redis")  # imported by a store that is on a server
    return f"sqlite:{sqlite3.sqlite_version}" + (f" redis:{redis.__version__}" if redis else "")
