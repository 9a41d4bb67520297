"""The keywords of `LiteQ(...)` that are no settings."""

from typing import Any

from ..config.celery import current_name
from ..exceptions import ImproperlyConfigured
from ..support.nearest import nearest, suggestion

KEYWORDS = (
    "backend",
    "broker",
    "config_source",
    "include",
    "main",
    "namespace",
    "result_backend",
    "set_as_current",
    "task_cls",
)
_CLOSE = 0.8  # a letter or two wrong; other names may be a program's own settings


def checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Return `settings`.

    Raises ImproperlyConfigured if one of them is rather a misspelt keyword.
    """
    for name in settings:
        near = None if current_name(name) else nearest(name, KEYWORDS, _CLOSE)
        if near is not None:
            raise ImproperlyConfigured(
                f"LiteQ() takes no {name!r}, and there is no such setting{suggestion(near)}"
            )
    return settings
