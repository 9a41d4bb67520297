"""The Lua scripts of the Redis broker: their heads, and what luacheck finds in them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from liteq.brokers.redis.scripts import library, script, verbs
from liteq.states import Phase
from tests.architecture.source import PACKAGE

LUACHECK = shutil.which("luacheck")
FILES = sorted((PACKAGE / "brokers" / "redis" / "scripts").glob("*.lua"))
VERBS = [path for path in FILES if path.read_text().startswith("-- uses ")]
PROVIDED = ("redis", "KEYS", "ARGV", "cjson", "cmsgpack")  # by the server
# What luacheck calls a local name that nothing uses, and one that is only given a value.
UNUSED = ("W211", "W231")


@pytest.mark.parametrize("path", VERBS, ids=lambda path: path.stem)
def test_a_script_is_headed_by_what_it_takes_and_returns(path: Path) -> None:
    head = path.read_text().partition("\n\n")[0]

    assert re.findall(r"(?m)^-- (KEYS|ARGV|Returns) +\S", head) == ["KEYS", "ARGV", "Returns"]


PARTS = sorted(set(FILES) - set(VERBS))


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.stem)
def test_a_part_keeps_nothing_from_one_call_to_the_next(path: Path) -> None:
    # In a library a part is there once for all calls: what a call changes is made by `begin_…`.
    assert re.findall(r"(?m)^local \w+ = {}", path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_line_is_too_long(path: Path) -> None:
    assert max(map(len, path.read_text().splitlines())) <= 100


def test_every_function_is_called() -> None:
    code = "\n".join(re.sub("--.*", "", path.read_text()) for path in FILES)
    functions = re.findall(r"local function (\w+)", code)

    # Called, or given to `try`, which calls it; `begin_…` by what is put around each script.
    functions = [name for name in functions if not name.startswith("begin_")]
    assert [name for name in functions if len(re.findall(rf"\b{name}\b", code)) < 2] == []


@pytest.mark.skipif(LUACHECK is None, reason="there is no luacheck (Debian: lua-check)")
def test_luacheck_finds_nothing_in_the_scripts_as_they_are_sent(tmp_path: Path) -> None:
    own_lines = {}  # the lines of a script behind those of its parts
    for path in VERBS:
        text = script(path.stem, flags=False).text
        (tmp_path / path.name).write_text(text)
        own_lines[path.name] = text.count("\n") - path.read_text().count("\n") + 1
    for name, line, code, what in luacheck(tmp_path):
        part_of_another = code in UNUSED and line < own_lines[name]
        assert part_of_another, f"{name}, line {line - own_lines[name] + 1}: {what}"


@pytest.mark.skipif(LUACHECK is None, reason="there is no luacheck (Debian: lua-check)")
def test_luacheck_finds_nothing_in_the_library(tmp_path: Path) -> None:
    code = library().text.partition("\n")[2]
    (tmp_path / "library.lua").write_text(code)
    phases = [phase.name for phase in Phase]

    found = [
        (line, what)
        for _, line, code, what in luacheck(tmp_path)
        if code not in UNUSED or not any(f"'{name}'" in what for name in phases)
    ]
    assert found == []


def test_the_library_has_a_function_for_each_script() -> None:
    assert verbs() == [path.stem for path in VERBS]


def test_a_script_names_its_parts_in_the_order_in_which_the_library_has_them() -> None:
    begun = re.findall(r"local function begin_(\w+)", library().text)
    for path in VERBS:
        parts = path.read_text().partition("\n")[0].removeprefix("-- uses ").split(", ")
        begun = re.findall(r"local function begin_(\w+)", library().text)

        assert [part for part in begun if part in parts] == [
            part for part in parts if part in begun
        ]


def luacheck(folder: Path) -> list[tuple[str, int, str, str]]:
    """Return the file, line, code and text of all that luacheck finds in a folder."""
    done = subprocess.run(
        [
            str(LUACHECK),
            ".",
            "--std",
            "lua51",
            "--globals",
            *PROVIDED,
            "--codes",
            "--formatter=plain",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode < 3, done.stdout + done.stderr  # else it did not run
    found = re.findall(r"(?m)^(?:\./)?([\w.]+):(\d+):\d+: \((\w+)\) (.*)$", done.stdout)
    return [(name, int(line), code, what) for name, line, code, what in found]
