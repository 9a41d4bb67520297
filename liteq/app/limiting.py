"""Rate limits that are set at run time."""

from typing import Any

from ..exceptions import ConfigurationError


def check_limits(app: Any, task: str) -> Any:
    """Return the limits of an application. Raises ConfigurationError where it has none."""
    limits = getattr(app, "limits", None)
    if limits is None:
        raise ConfigurationError(
            f"{task} cannot be limited: this version of liteq has no rate limits. A queue with a "
            "worker of its own, -c 1, slows tasks down"
        )
    return limits


def set_rate_limit(app: Any, task: str, rate: str | float | None) -> None:
    """Set how often a task may run; None or 0: as often as there are slots.

    Raises ConfigurationError where the application has no limits.
    """
    check_limits(app, task).set(task, rate=rate or None)
