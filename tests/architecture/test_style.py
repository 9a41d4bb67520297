"""What no linter knows."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, modules

LONGEST = 450  # lines; most files are far below
PROGRAMS = [
    path
    for folder in ("liteq", "tools", "benchmarks", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if ".venvs" not in path.parts  # what `make bench` installs
]
# What a docstring of a function begins with. Add a verb when you need it.
VERBS = """
    Accept Add Advance Allow Append Ask Assign Be Begin Bring Call Change Charge Check
    Checkpoint Claim Close Collect Compare Compile Copy Count Create Decide Declare Define Delete
    Discard Do Drain Draw Drop Emit Empty Encode End Enqueue Enter Examine Exit Expect Fail
    Finish Fire Follow Forbid Forget Fork Free Freeze Give Go Guard Hand Handle Have Hold Ignore
    Import Install Iterate Join Keep Kill Lay Learn Leave Let Load Lock Log Look Make Mark Move
    Name Note Notify Open Parse Pass Pause Poll Prepare Print Propagate Put Raise Read Reap
    Recall Receive Record Refuse Register Relay Release Remove Renew Repair Replace Report Request
    Rescue Reset Restore Resume Return Revoke Rewrite Run Save Say Send Serve Set Settle Show Sign
    Skip Sleep Stamp Start Stop Store Switch Take Tell Treat Try Turn Undo Unmap Use Wait Wake
    Warn Work Write Yield
"""


@pytest.mark.parametrize("module", modules())
def test_no_file_is_too_long_to_read(module: str) -> None:
    assert len(modules()[module].read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_no_page_installs_the_package_of_somebody_else() -> None:
    """The index has another package called liteq; ours is liteq-tasks."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*")]
    wrong = re.compile(r"(pip|pipx|uv|poetry)\s+(install|add)\s+(-\S+\s+)*['\"]?liteq\b(?!-tasks)")

    for page in pages:
        if page.suffix in {".md", ".py", ".txt", ".toml"}:
            assert not wrong.search(page.read_text(encoding="utf-8")), page


@pytest.mark.parametrize("module", modules())
def test_no_pattern_is_possessive_or_atomic(module: str) -> None:
    """Before Python 3.11.5, which Debian 12 has, `re` ends such a match in the wrong place."""
    constants = [
        node.value
        for node in ast.walk(ast.parse(modules()[module].read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    ]
    texts = [each.decode("latin-1") if isinstance(each, bytes) else each for each in constants]

    assert [text for text in texts if re.search(r"[)\]}.][*+?}]\+|\(\?>", text)] == []


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_of_functions_begin_with_a_verb_in_the_imperative(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, *_ = (ast.get_docstring(node) or "Return").split()
            assert first.rstrip(":,;.") in VERBS.split(), (
                f"{path}:{node.lineno} {node.name}: {first}"
            )
