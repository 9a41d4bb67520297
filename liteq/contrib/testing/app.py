"""Applications for tests: Celery's `celery.contrib.testing.app`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...app import LiteQ
from ...result.app import made_current

DEFAULT_TEST_CONFIG: dict[str, Any] = {"broker_url": "memory://"}


def TestApp(  # noqa: N802 - Celery's name
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    set_as_current: bool = False,
    **parameters: Any,
) -> LiteQ:
    """Return an application whose store is in memory, unless `config` names another one.

    `parameters` are those of LiteQ.
    """
    app = LiteQ(name or "celery.tests", set_as_current=set_as_current, **parameters)
    app.conf.update({**DEFAULT_TEST_CONFIG, **(config or {})})
    return app


vars(TestApp)["__test__"] = False  # it is no test, whatever pytest takes it for


@contextmanager
def setup_default_app(app: LiteQ) -> Iterator[None]:
    """Make `app` the current and the default application for the block; close it at its end."""
    before = made_current()
    app.set_default()
    app.set_current()
    try:
        yield
    finally:
        app.close()
        if isinstance(before, LiteQ):
            before.set_current()
