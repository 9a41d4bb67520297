"""The Lua scripts of the Redis broker: their heads, and what luacheck finds in them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from liteq.brokers.redis.scripts import script
from tests.architecture.source import PACKAGE

LUACHECK = shutil.which("luacheck")
FILES = sorted((PACKAGE / "brokers" / "redis" / "scripts").glob("*.lua"))
VERBS = [path for path in FILES if path.read_text().startswith("-- uses ")]
PROVIDED = ("redis", "KEYS", "ARGV", "cmsgpack")  # by the server
UNUSED = "W211"  # what luacheck calls a local name that nothing uses


@pytest.mark.parametrize("path", VERBS, ids=lambda path: path.stem)
def test_a_script_is_headed_by_what_it_takes_and_returns(path: Path) -> None:
    head = path.read_text().partition("\n\n")[0]

    assert re.findall(r"(?m)^-- (KEYS|ARGV|Returns) +\S", head) == ["KEYS", "ARGV", "Returns"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_line_is_too_long(path: Path) -> None:
    assert max(map(len, path.read_text().splitlines())) <= 100


def test_every_function_is_called() -> None:
    code = "\n".join(re.sub("--.*", "", path.read_text()) for path in FILES)
    functions = re.findall(r"local function (\w+)", code)

    # Called, or given to `try`, which calls it.
    assert [name for name in functions if len(re.findall(rf"\b{name}\b", code)) < 2] == []


@pytest.mark.skipif(LUACHECK is None, reason="there is no luacheck (Debian: lua-check)")
def test_luacheck_finds_nothing_in_the_scripts_as_they_are_sent(tmp_path: Path) -> None:
    own_lines = {}  # the lines of a script behind those of its parts
    for path in VERBS:
        text = script(path.stem, flags=False).text
        (tmp_path / path.name).write_text(text)
        own_lines[path.name] = text.count("\n") - path.read_text().count("\n") + 1
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
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"(?m)^(?:\./)?([\w.]+):(\d+):\d+: \((\w+)\) (.*)$", done.stdout)

    assert done.returncode < 3, done.stdout + done.stderr  # else it did not run
    for name, line, code, what in found:
        part_of_another = code == UNUSED and int(line) < own_lines[name]
        assert part_of_another, f"{name}, line {int(line) - own_lines[name] + 1}: {what}"
