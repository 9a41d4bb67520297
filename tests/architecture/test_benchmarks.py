"""The page of the benchmarks says of each row what it is, and its table has the form of a run's."""

import json
import re
import subprocess
import sys

from .source import ROOT

FOLDER = ROOT / "benchmarks"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")

_ASK = """
import json
from contenders import CONTENDERS, contender
from rows import ROWS
rows = {row.key: row.title for row in ROWS}
print(json.dumps([rows, {name: contender(name).queue for name in CONTENDERS}]))
"""


def ask() -> tuple[dict[str, str], dict[str, str]]:
    """Return the titles of the rows by key, and the queues of the contenders by name."""
    command = [sys.executable, "-c", _ASK]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    rows, queues = json.loads(done.stdout)
    return rows, queues


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_row_is_described() -> None:
    rows, _ = ask()
    described = {
        key
        for line in PAGE.splitlines()
        if line.startswith("| `")
        for key in re.findall(r"`([^`]+)`", cells(line)[0])
    }

    assert {key for key in rows if key.removesuffix("-99") not in described} <= {"crowd-worst"}


def test_every_rival_is_described_and_pinned() -> None:
    _, queues = ask()
    rivals = {name for name in queues if not name.startswith("liteq")}
    files = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("requirements/*")}

    assert [name for name in rivals if f"`{name}`" not in PAGE] == []
    assert files.keys() == set(queues.values())
    lines = [line for text in files.values() for line in text.splitlines()]
    assert [line for line in lines if not re.match(r"[a-z\[\]_-]+==\d", line)] == []


def test_the_table_is_one_that_a_run_has_written() -> None:
    rows, queues = ask()
    begin, end = "<!-- table of run.py --readme -->", "<!-- end of the table -->"
    table = PAGE[PAGE.index(begin) : PAGE.index(end)]
    head, _, *lines = (cells(line) for line in table.splitlines() if line.startswith("|"))
    titles = [title for title in rows.values() if title in {line[0] for line in lines}]

    assert head[:2] == ["row", "liteq"]
    assert head[-3:] == ["lead", "goal", "met"]
    assert set(head[2:-3]) <= queues.keys()
    assert all(len(line) == len(head) for line in lines)
    assert [line[0] for line in lines if line[0] not in rows.values()] == []
    assert list(dict.fromkeys(line[0] for line in lines)) == list(dict.fromkeys(titles))
