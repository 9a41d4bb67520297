"""What the pages of the project name by module or by path is there."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source import PACKAGE, ROOT, modules

DOTTED = re.compile(r"\bliteq(?:\.[A-Za-z_]\w*)+")
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?:[\w.-]+/)+[\w.-]+\.(?:lua|md|py|sql|toml|ya?ml)")
FOLDER = re.compile(r"(?:[\w.-]+/)+")
BEGINNINGS = (ROOT, PACKAGE, ROOT / "tests")  # of the paths that pages name

# The changelog tells what was; the pages for users name files of theirs.
PAGES = [*ROOT.glob("*.md"), *(p for d in ("docs", "examples") for p in ROOT.glob(f"{d}/**/*.md"))]
PAGES.remove(ROOT / "CHANGELOG.md")
GLOSSARY = (ROOT / "docs/internals/glossary.md").read_text(encoding="utf-8")
TERMS, _, STORED = GLOSSARY.partition("## Stored names")
INSIDE = [p for p in PAGES if {"internals", "decisions", "CONTRIBUTING.md"} & set(p.parts)]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def is_there(dotted: str) -> bool:
    """Return whether `dotted` is a module of the package, or something in one."""
    parts = dotted.split(".")
    depth = max(n for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in modules())
    found: Any = importlib.import_module(".".join(parts[:depth]))
    for attribute in parts[depth:]:
        found = getattr(found, attribute, None)
    return found is not None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_module_that_a_page_names_is_there(page: Path) -> None:
    for dotted in DOTTED.findall(page.read_text(encoding="utf-8")):
        assert is_there(dotted), f"{name_of(page)}: {dotted}"


@pytest.mark.parametrize("page", INSIDE, ids=name_of)
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    for quoted in QUOTED.findall(page.read_text(encoding="utf-8")):
        if FILE.fullmatch(quoted) or FOLDER.fullmatch(quoted):
            found = [each for each in BEGINNINGS if (each / quoted).exists()]
            assert found, f"{name_of(page)}: {quoted}"


def rows(section: str) -> list[list[str]]:
    """Return the cells of all tables in `section`, without their heads."""
    lines = re.findall(r"^\| .+ \|$(?!\n\|--)", section, re.MULTILINE)
    return [line.strip("| ").split(" | ") for line in lines]


def test_the_glossary_has_each_term_once_and_says_where_it_lives() -> None:
    terms = rows(TERMS)

    assert len(terms) > 80
    assert len(terms) == len({row[0] for row in terms})
    assert [row for row in terms if "`" not in row[2]] == []


def test_the_stored_names_of_the_glossary_are_still_stored() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("brokers", "worker")  # a worker decides what is in its `info`
        for path in (PACKAGE / folder).rglob("*")
        if path.suffix in {".py", ".sql", ".lua"}
    )
    named = [name for row in rows(STORED) for name in QUOTED.findall(row[1])]

    assert named
    for word in re.findall(r"\w{2,}", " ".join(named)):
        assert re.search(rf"\b{word}\b", code), word
