"""Holds the code to the table of levels in docs/internals/architecture.md, and to its rules."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module

import pytest

from tests.architecture.source import ROOT, imports, modules, tree, unit

PAGE = ROOT / "docs/internals/architecture.md"
ROW = re.compile(r"^\| *(\d+) *\| *`(\w+)` *\|", re.MULTILINE)
ROWS = [(name, int(level)) for level, name in ROW.findall(PAGE.read_text(encoding="utf-8"))]
LEVEL = dict(ROWS)

# Where a module of the standard library, or of a third party, may be imported.
HOME = {
    "argparse": "liteq.cli",
    "multiprocessing": "liteq.pools",
    "random": "liteq.support.randomness",
    "redis": "liteq.brokers.redis",
    "sqlite3": "liteq.brokers.sqlite",
}

# The only imports that may go up, and why. They must not be done when the module is imported.
UPWARD = {
    ("liteq.app.base", "worker"): "`app.Worker()` is Celery's way to make a worker",
    ("liteq.app.base", "cli"): "`app.worker_main()` is Celery's way to run the command line",
}

every_module = pytest.mark.parametrize("module", modules())


def within(module: str, folder: str) -> bool:
    return module == folder or module.startswith(folder + ".")


def test_every_top_level_name_has_one_level_and_every_level_a_name() -> None:
    assert len(ROWS) == len(LEVEL)
    assert set(LEVEL) == {unit(module) for module in modules()}


@every_module
def test_imports_only_go_down(module: str) -> None:
    me = unit(module)
    for line, target, *_ in imports(module):
        if within(target, "liteq"):
            other = unit(target)
            below = other == me or LEVEL[other] < LEVEL[me]
            assert below or (module, other) in UPWARD, (
                f"{modules()[module]}:{line}: {me} ({LEVEL[me]}) -> {other} ({LEVEL[other]})"
            )


@pytest.mark.parametrize(("module", "other"), UPWARD)
def test_an_import_that_may_go_up_is_needed_and_is_deferred(module: str, other: str) -> None:
    upward = [each for each in imports(module) if is_unit(each.module, other)]

    assert LEVEL[other] > LEVEL[unit(module)]
    assert upward, f"{module} does not import {other}: take it out of UPWARD"
    for line, target, _, deferred in upward:
        assert deferred, f"{modules()[module]}:{line} imports {target} when it is imported itself"


def is_unit(target: str, name: str) -> bool:
    return within(target, f"liteq.{name}")


@every_module
def test_imports_inside_the_package_are_relative(module: str) -> None:
    for line, target, relative, _ in imports(module):
        inside = within(target, "liteq")
        assert relative or not inside, f"{modules()[module]}:{line} imports {target}"


def test_no_module_is_part_of_an_import_cycle() -> None:
    graph = {module: {*needed(module)} - {module} for module in modules()}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def needed(module: str) -> Iterator[str]:
    """Yield what `module` imports, except what UPWARD lets it import."""
    for each in imports(module):
        if not any(module == source and is_unit(each.module, to) for source, to in UPWARD):
            yield each.module


@pytest.mark.parametrize("folder", ["liteq.brokers", "liteq.pools"])
def test_members_of_a_folder_do_not_know_each_other(folder: str) -> None:
    members = set(re.findall(rf"{folder}\.\w+", modules()[folder].read_text(encoding="utf-8")))

    assert len(members) > 1
    for module in modules():
        for line, target, *_ in imports(module) if within(module, folder) else ():
            for member in members:
                own = within(module, member) or not within(target, member)
                assert own, f"{modules()[module]}:{line} imports {target}"


@pytest.mark.parametrize("folder", ["brokers", "pools", "serializers"])
def test_a_table_names_what_is_in_its_folder_by_full_dotted_strings(folder: str) -> None:
    table = getattr(import_module(f"liteq.{folder}"), folder.upper())

    assert table
    for where in table.values():
        assert re.fullmatch(rf"liteq\.{folder}\.\w+:\w+", where)


def test_commands_do_not_import_each_other() -> None:
    commands = {
        module for module in modules() if within(module, "liteq.cli") and is_command(module)
    }

    assert commands
    for command in commands:
        for line, target, *_ in imports(command):
            assert target not in commands, f"{modules()[command]}:{line} imports {target}"


def is_command(module: str) -> bool:
    """Return whether `module` is a command: it has `configure` and `run`."""
    functions = {node.name for node in tree(module).body if isinstance(node, ast.FunctionDef)}
    return {"configure", "run"} <= functions


@every_module
def test_a_heavy_module_is_imported_only_where_it_belongs(module: str) -> None:
    for line, target, *_ in imports(module):
        home = HOME.get(target.split(".")[0])
        assert home is None or within(module, home), f"{modules()[module]}:{line} imports {target}"


def test_only_commands_print() -> None:
    assert [m for m in modules() if prints(m) and not within(m, "liteq.cli")] == []


def prints(module: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == "print" for n in ast.walk(tree(module)))
