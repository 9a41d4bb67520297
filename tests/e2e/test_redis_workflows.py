"""Workflows in real workers, on Redis: the tests of those on a file, with the URL changed."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.e2e import test_workflows as on_a_file
from tests.servers import RedisServer, needs_redis

pytestmark = needs_redis

PICKLED = 'task_serializer="pickle", result_serializer="pickle"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workflows")


@pytest.fixture(scope="module")
def t(folder: Path, shared_redis: RedisServer) -> Iterator[ModuleType]:
    source = on_a_file.TASKS % folder.as_posix()
    file = f"sqlite:///{folder.as_posix()}/project.db?durability=fast"
    assert file in source
    # A database beside the one that other tests empty. Errors are handed on as values, which JSON
    # cannot carry, so all is pickled, and signed.
    url = f'{shared_redis.url[:-1]}1", secret_key="{"k" * 32}", {PICKLED}'
    yield from on_a_file.served(folder, source.replace(f'{file}"', url))


@pytest.fixture
def book(tmp_path: Path) -> str:
    return str(tmp_path / "book")


globals().update({name: test for name, test in vars(on_a_file).items() if name.startswith("test_")})
