"""Each record of docs/decisions has its number, its four parts and its row in the index."""

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

FOLDER = ROOT / "docs/decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")
PARTS = ["Context", "Decision", "Why", "Consequence"]


def title(record: Path) -> str:
    """Return the title of `record`, without its number."""
    first = record.read_text(encoding="utf-8").partition("\n")[0]
    return first.partition(": ")[2]


def test_the_records_are_numbered_without_a_gap() -> None:
    assert [int(each.name[:4]) for each in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_index_has_every_record_and_nothing_else() -> None:
    rows = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \|$", INDEX, re.MULTILINE)

    assert rows == [(each.name[:4], each.name, title(each)) for each in RECORDS]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_its_four_parts_and_is_short(record: Path) -> None:
    text = record.read_text(encoding="utf-8")

    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    assert "" not in [part.partition("\n")[2].strip() for part in text.split("\n## ")[1:]]
    assert len(text.split()) < 300
