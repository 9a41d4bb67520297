"""Fixtures for pytest, with the names of `celery.contrib.pytest`.

pytest_plugins = ("liteq.contrib.pytest",)  # in conftest.py
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from ..app import LiteQ
from ..task import Task
from ..worker.worker import Worker
from .testing.app import TestApp, setup_default_app
from .testing.worker import start_worker

__all__ = [
    "celery_app",
    "celery_class_tasks",
    "celery_config",
    "celery_includes",
    "celery_parameters",
    "celery_session_app",
    "celery_session_worker",
    "celery_worker",
    "celery_worker_parameters",
    "celery_worker_pool",
    "depends_on_current_app",
    "pytest_configure",
]


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "celery(**settings): settings of `celery_app` in a test")


# what a project overrides


@pytest.fixture(scope="session")
def celery_config() -> Mapping[str, Any]:
    """Return the settings of the application; override it to have others."""
    return {}


@pytest.fixture(scope="session")
def celery_parameters() -> Mapping[str, Any]:
    """Return the keywords that the application is made with; override it likewise."""
    return {}


@pytest.fixture(scope="session")
def celery_includes() -> Sequence[str]:
    """Return the modules that the session's worker imports; override it likewise."""
    return ()


@pytest.fixture(scope="session")
def celery_class_tasks() -> Sequence[type[Task[..., Any]]]:
    """Return the classes of tasks that the session's application registers; override it."""
    return ()


@pytest.fixture(scope="session")
def celery_worker_pool() -> str:
    """Return the pool of the workers; override it likewise."""
    return "solo"


@pytest.fixture(scope="session")
def celery_worker_parameters() -> Mapping[str, Any]:
    """Return the options of the workers, see `start_worker`; override it likewise."""
    return {}


# what tests use


@pytest.fixture(scope="session")
def celery_session_app(
    celery_config: Mapping[str, Any], celery_parameters: Mapping[str, Any]
) -> Iterator[LiteQ]:
    """Make an application for the whole session."""
    app = TestApp(config=celery_config, **celery_parameters)
    with setup_default_app(app):
        yield app


@pytest.fixture(scope="session")
def celery_session_worker(
    celery_session_app: LiteQ,
    celery_includes: Sequence[str],
    celery_class_tasks: Sequence[type[Task[..., Any]]],
    celery_worker_pool: str,
    celery_worker_parameters: Mapping[str, Any],
) -> Iterator[Worker]:
    """Run a worker of `celery_session_app` for the whole session."""
    app = celery_session_app
    app.conf.include = (*app.conf.include, *celery_includes)
    for kind in celery_class_tasks:
        app.register_task(kind)
    with start_worker(app, pool=celery_worker_pool, **celery_worker_parameters) as worker:
        yield worker


@pytest.fixture
def celery_app(
    request: pytest.FixtureRequest,
    celery_config: Mapping[str, Any],
    celery_parameters: Mapping[str, Any],
) -> Iterator[LiteQ]:
    """Make an application for one test; the marker `celery` changes its settings."""
    mark = request.node.get_closest_marker("celery")
    app = TestApp(config={**celery_config, **(mark.kwargs if mark else {})}, **celery_parameters)
    with setup_default_app(app):
        yield app


@pytest.fixture
def celery_worker(
    celery_app: LiteQ, celery_worker_pool: str, celery_worker_parameters: Mapping[str, Any]
) -> Iterator[Worker]:
    """Run a worker of `celery_app` for one test."""
    with start_worker(celery_app, pool=celery_worker_pool, **celery_worker_parameters) as worker:
        yield worker


@pytest.fixture
def depends_on_current_app(celery_app: LiteQ) -> None:
    """Make `celery_app` the current application for one test."""
    celery_app.set_current()
