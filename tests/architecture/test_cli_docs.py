"""docs/reference/cli.md tells of every command, option and exit code, and of nothing else."""

import re
from argparse import SUPPRESS

import pytest

from liteq.app.jobs import job_of
from liteq.brokers.base import WorkerInfo
from liteq.cli import exits
from liteq.cli.celery_flags import ALIASES, ELSEWHERE, FLAGS
from liteq.cli.commands import COMMANDS
from liteq.cli.inspect import VIEWS
from liteq.cli.jobs import job_view
from liteq.cli.parsing import make_parser
from liteq.cli.views import View, task_view, worker_view
from liteq.model.message import Message, Record
from liteq.states import Phase
from tests.architecture.source import ROOT

PAGE = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
CELERYS = "Celery's commands and options"
COMMON = "Options of every command"
HELP = {"-h", "--help"}
INTERRUPTED = {130, 131}  # the worker's, by the number of the signal


MESSAGE = Message("i", "t", b"", "json", "q")
NONE = [None] * (len(Record._fields) - 6)


def section(heading: str) -> str:
    """What stands below `## heading`, up to the next one."""
    _, found, rest = PAGE.partition(f"\n## {heading}\n")
    assert found, f"there is no heading {heading!r}"
    return rest.partition("\n## ")[0]


def first_cells(heading: str) -> list[str]:
    """The first cell of each row of the tables below `heading`."""
    return re.findall(r"^\| *(.+?) *\|", section(heading), re.MULTILINE)


def documented(heading: str) -> set[str]:
    return set(re.findall(r"`(--?\w[\w-]*)`", "\n".join(first_cells(heading))))


def options(command: str) -> set[str]:
    """All options of `command`, as its parser has them."""
    _, commands = make_parser([command])
    shown = [action for action in commands[command]._actions if action.help != SUPPRESS]
    return {option for action in shown for option in action.option_strings} - HELP


def test_every_command_has_its_heading_and_every_heading_its_command() -> None:
    assert re.findall(r"^## liteq (\S+)$", PAGE, re.MULTILINE) == list(COMMANDS)


def test_the_table_of_commands_says_what_their_help_says() -> None:
    rows = re.findall(r"^\| \[`([\w-]+)`\]\(#liteq-[\w-]+\) \| (.+) \|$", PAGE, re.MULTILINE)

    assert dict(rows) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_of_a_command_are_those_on_the_page(command: str) -> None:
    assert documented(f"liteq {command}") == options(command) - documented(COMMON)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_common_options_are_options_of_every_command(command: str) -> None:
    assert documented(COMMON) <= options(command)


def test_celerys_options_are_those_on_the_page_with_their_reasons() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section(CELERYS), re.MULTILINE)
    told = {(command.strip("`"), flags): why for command, flags, why in rows if "`" in flags}
    flags = {
        (command or "all", ", ".join(f"`{name}`" for name in flag.names)): (
            f"refused: {flag.why}" if flag.refused else flag.why
        )
        for command, each in FLAGS.items()
        for flag in each
    }
    assert told == flags


def test_celerys_commands_are_those_on_the_page_with_their_cures() -> None:
    rows = re.findall(r"^\| `celery (\w+(?: \w+)?)` \| (.+?) \|$", section(CELERYS), re.MULTILINE)
    aliases = {
        name: f"`liteq {' '.join(words)}`, also as `liteq {name}`"
        for name, words in ALIASES.items()
    }
    assert dict(rows) == ELSEWHERE | aliases


def test_the_views_of_inspect_are_those_on_the_page() -> None:
    cells = first_cells("liteq inspect")

    assert [cell.strip("`") for cell in cells if re.fullmatch(r"`[a-z_]+`", cell)] == list(VIEWS)


@pytest.mark.parametrize(
    ("heading", "view"),
    [
        (
            "Keys of a task",
            task_view(Record._make([MESSAGE, Phase.READY, 0, 0, None, 0.0, *NONE])),
        ),
        (
            "Keys of a job",
            job_view(job_of(Record._make([MESSAGE, Phase.READY, 0, 0, None, 0.0, *NONE]))),
        ),
        ("Keys of a worker", worker_view(WorkerInfo(1, "w", 1, "h", 0.0, 0.0, None, "{}"), 0.0)),
    ],
)
def test_the_keys_of_json_are_those_on_the_page(heading: str, view: View) -> None:
    text = PAGE.partition(f"\n### {heading}\n")[2].partition("\n##")[0]

    assert set(re.findall(r"`(\w+)`", text)) - {"null"} == set(view)


def test_the_exit_codes_are_those_on_the_page() -> None:
    codes = {value for value in vars(exits).values() if isinstance(value, int)}
    cells = first_cells("Exit codes")

    assert {int(cell) for cell in cells if cell.isdigit()} == codes | INTERRUPTED
