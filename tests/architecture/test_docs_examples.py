"""The examples on the pages of the project work as they stand there.

A block below the line `<!-- run -->` is run. The blocks of one page are one program, in a new
folder. A block below `<!-- file: project.py -->` is written to that folder first.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, ROOT

BLOCK = re.compile(
    r"^<!-- (?:run|file: (\S+)) -->\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
MARK = re.compile(r"^<!-- (?:run|file: \S+) -->$", re.MULTILINE)

PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
}


def program(text: str) -> str:
    """The page with every line blank that is not run, so that line numbers are the page's."""
    lines = [""] * text.count("\n")
    for block in BLOCK.finditer(text):
        if block[1] is None:
            first = text.count("\n", 0, block.start(2))
            code = block[2].splitlines()
            lines[first : first + len(code)] = code
    return "\n".join(lines)


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if MARK.search(text)])
def test_the_examples_of_a_page_run(page: str, tmp_path: Path) -> None:
    text = PAGES[page]
    for block in BLOCK.finditer(text):
        if block[1] is not None:
            tmp_path.joinpath(block[1]).write_text(block[2], encoding="utf-8")
    script = tmp_path / page.replace("/", "_").replace(".md", "_page.py")
    script.write_text(program(text), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("page", PAGES)
def test_every_mark_stands_above_a_block(page: str) -> None:
    assert len(MARK.findall(PAGES[page])) == len(BLOCK.findall(PAGES[page]))


def test_a_failing_example_fails_at_its_line_of_the_page() -> None:
    page = "# Title\n\n<!-- run -->\n```python\nright = 1\nwrong\n```\n\ntext\n"

    with pytest.raises(NameError) as caught:
        exec(compile(program(page), "page", "exec"), {})

    assert caught.traceback[-1].lineno == 5  # counted from 0 here
