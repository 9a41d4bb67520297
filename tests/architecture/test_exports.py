"""What the package offers by name is there, in order, and says what it is."""

import ast
import importlib
import inspect
import re
from types import ModuleType

import pytest

import liteq
from tests.architecture.source import modules, tree

DOTTED = re.compile(r"liteq(\.\w+)+:\w+")  # as in "liteq.worker:Worker"


def importable() -> list[str]:
    """All modules but those that do something when imported, or need a third party's package."""
    return [m for m in modules() if not m.endswith(("__main__", "as_celery")) and ".redis" not in m]


@pytest.mark.parametrize("name", importable())
def test_all_names_what_is_there_and_each_once(name: str) -> None:
    module = importlib.import_module(name)
    names = list(getattr(module, "__all__", ()))

    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(module, name)] == []


def test_all_of_liteq_is_sorted_and_complete() -> None:
    public = {
        name
        for name, value in vars(liteq).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert liteq.__all__ == sorted(liteq.__all__)
    assert public <= set(liteq.__all__)


def test_public_classes_and_functions_say_what_they_are() -> None:
    named = {name: getattr(liteq, name) for name in liteq.__all__}

    silent = [n for n, value in named.items() if is_definition(value) and not inspect.getdoc(value)]
    assert silent == []


def is_definition(value: object) -> bool:
    return inspect.isclass(value) or inspect.isfunction(value)


@pytest.mark.parametrize("module", modules())
def test_what_a_table_names_by_a_dotted_string_is_there(module: str) -> None:
    for node in ast.walk(tree(module)):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        if DOTTED.fullmatch(node.value):
            source, _, attribute = node.value.partition(":")
            assert hasattr(importlib.import_module(source), attribute), node.value
