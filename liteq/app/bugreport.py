"""The report on an application for those who look for a fault, in the form of Celery's."""

import platform
import sys

from ..result.app import App, get_current_app
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


def bugreport(app: App | None = None) -> str:
    """Return the report on `app`, or on the current application."""
    return bug_report(app or get_current_app())


def _drivers() -> str:
    """Return the versions of the modules by which stores are reached, of those in use."""
    found = [
        f"{name}:{getattr(sys.modules[name], attribute)}"
        for name, attribute in (("sqlite3", "sqlite_version"), ("redis", "__version__"))
        if name in sys.modules
    ]
    return " ".join(found) or "no driver"
