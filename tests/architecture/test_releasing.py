"""What runs on its own, without anybody who looks: the workflows, and the check of a tag."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import liteq
from tests.architecture.source import ROOT

WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
MAKEFILE = ROOT / "Makefile"
MAKE = re.compile(r"(?:run:|`|^ *)\s*make ((?:[\w-]+\b(?!=) ?)+)", re.MULTILINE)  # and targets

needs_workflows = pytest.mark.skipif(not WORKFLOWS, reason="an sdist has no workflows")
with_source = pytest.mark.skipif("LITEQ_WHEEL" in os.environ, reason="the source tree may be gone")


def check_tag(tag: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "check_tag.py"), tag]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@with_source
def test_the_tag_of_the_version_is_accepted() -> None:
    done = check_tag(f"v{liteq.__version__}")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@with_source
@pytest.mark.parametrize(
    "tag", ["v999.0.0", liteq.__version__, f"v{liteq.__version__}rc1", "", "v"]
)
def test_any_other_tag_is_refused_and_told_which_it_should_be(tag: str) -> None:
    done = check_tag(tag)

    assert done.returncode == 1
    assert f"tag v{liteq.__version__}" in done.stdout


@needs_workflows
def test_every_action_is_pinned_by_its_hash_and_says_its_version() -> None:
    used = [
        (path.name, use) for path in WORKFLOWS for use in re.findall(r"uses: (.*)", _text(path))
    ]
    loose = [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", each[1])]

    assert used
    assert loose == []


@needs_workflows
def test_one_action_has_one_hash_in_all_workflows() -> None:
    uses = {use for path in WORKFLOWS for use in re.findall(r"uses: (.*)", _text(path))}
    names = [use.partition("@")[0] for use in uses]

    assert sorted(names) == sorted(set(names))


@needs_workflows
def test_workflows_and_guides_name_targets_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([\w-]+):", _text(MAKEFILE), re.MULTILINE))
    guides = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", ROOT / ".ci" / "run"]
    asked = {
        (path.name, target)
        for path in [*WORKFLOWS, *guides]
        for line in MAKE.findall(_text(path))
        for target in line.split()
    }

    assert ("ci.yml", "check") in asked
    assert {each for each in asked if each[1] not in targets} == set()


def test_help_lists_every_target_but_those_that_fetch() -> None:
    text = _text(MAKEFILE)
    listed = set(re.findall(r'@echo "make ([\w-]+)', text))
    phony = set(re.findall(r"^\.PHONY:((?:[^\n]*\\\n)*[^\n]*)", text, re.MULTILINE)[0].split())

    assert listed == phony - {
        "\\",
        "help",
        "redis",
        "postgres",
        "strace",
        "lua",
        "screen",
        "browser",
    }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
