"""What no linter knows."""

import re

import pytest

from tests.architecture.source import ROOT, modules

LONGEST = 450  # lines; most files are far below


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
