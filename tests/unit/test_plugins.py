"""Objects that are named by text."""

from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.exceptions import ImproperlyConfigured
from liteq.support import plugins
from liteq.support.plugins import (
    entry_point_names,
    load,
    load_entry_point,
    load_module_or_name,
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with entry points."""
    info = tmp_path / "strange-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: strange\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[liteq.brokers]\nstrange = strange:connect\nbroken = strange:nothing\n"
    )
    (tmp_path / "strange.py").write_text(
        "from liteq.brokers.memory import connect as memory\n"
        "def connect(url, name, clock):\n"
        "    return memory('memory://', name, clock)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_an_object_is_found_by_its_module_and_name() -> None:
    assert load("liteq.support.plugins:load") is load


@pytest.mark.parametrize(
    "where", ["liteq.support.wakeup:Wakeup.close", "liteq.support.wakeup:Wakeup"]
)
def test_the_name_after_a_colon_may_lead_into_an_object(where: str) -> None:
    assert load(where).__qualname__ == where.partition(":")[2]


def test_without_a_colon_the_name_is_what_follows_the_last_dot() -> None:
    assert load("liteq.support.plugins.load") is load


def test_a_module_goes_before_a_name_of_its_package() -> None:
    assert load_module_or_name("liteq.support.plugins") is plugins
    assert load_module_or_name("liteq.support.plugins.load") is load
    assert load_module_or_name("liteq.support.plugins:load") is load
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        load_module_or_name("nowhere")
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        load_module_or_name("liteq.nowhere.load")


def test_what_is_not_there_cannot_be_loaded() -> None:
    with pytest.raises(ImportError, match="nowhere"):
        load("liteq.nowhere:load")
    with pytest.raises(AttributeError, match="nothing"):
        load("liteq.support.plugins:nothing")


@pytest.mark.usefixtures("package")
def test_a_package_adds_a_broker_by_an_entry_point() -> None:
    assert connect("strange://").url == "memory://"
    assert entry_point_names("liteq.brokers") == {"strange", "broken"}
    with pytest.raises(AttributeError, match="nothing"):
        connect("broken://")


def test_an_entry_point_that_no_package_has_is_none() -> None:
    assert load_entry_point("liteq.brokers", "strange") is None
    with pytest.raises(ImproperlyConfigured, match="no broker serves 'strange://'"):
        connect("strange://")
