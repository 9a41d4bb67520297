"""The modules with tasks that a worker imports."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liteq import LiteQ
from liteq.exceptions import ImproperlyConfigured


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`shop` has tasks, `plain` has none, `broken` has some that cannot be imported."""
    for name, tasks in {"shop": "found = True", "plain": None, "broken": "import nowhere"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        if tasks is not None:
            (tmp_path / name / "tasks.py").write_text(tasks)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.usefixtures("packages")
def test_discovered_modules_are_imported_when_a_worker_loads_the_tasks(app: LiteQ) -> None:
    app.autodiscover_tasks(lambda: ["shop", "plain", "datetime.datetime"])
    assert "shop.tasks" not in sys.modules

    app.load_tasks()
    assert "shop.tasks" in sys.modules


@pytest.mark.usefixtures("packages")
def test_one_package_need_not_be_a_list(app: LiteQ) -> None:
    app.autodiscover_tasks("shop", force=True)
    app.autodiscover_tasks(force=True)

    assert "shop.tasks" in sys.modules


@pytest.mark.usefixtures("packages")
def test_discovery_may_be_forced_and_look_for_another_module(app: LiteQ) -> None:
    app.autodiscover_tasks(["shop"], force=True)
    assert "shop.tasks" in sys.modules

    app.autodiscover_tasks(["plain"], related_name=None, force=True)
    assert "plain" in sys.modules
    app.autodiscover_tasks(["plain"], related_name="jobs", force=True)


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(
    ("package", "missing"), [("nowhere", "nowhere"), ("no.where", "no"), ("broken", "nowhere")]
)
def test_a_package_that_cannot_be_imported_is_an_error(
    app: LiteQ, package: str, missing: str
) -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        app.autodiscover_tasks([package], force=True)

    assert caught.value.name == missing


@pytest.mark.usefixtures("packages")
def test_included_modules_are_imported_and_one_that_cannot_is_named(app: LiteQ) -> None:
    app.conf.update(imports=["shop.tasks"], include=["shop"])
    app.load_tasks()
    assert "shop.tasks" in sys.modules

    app.conf["include"] = ["broken.tasks"]
    with pytest.raises(ImproperlyConfigured, match=r"'broken.tasks' .* No module named 'nowhere'"):
        app.load_tasks()
