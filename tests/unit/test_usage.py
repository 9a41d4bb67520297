"""The usage texts of commands."""

import pytest

from liteq.cli import COMMANDS, main, make_parser
from liteq.cli.celery_flags import ELSEWHERE, FLAGS, Flag

WITH_LISTS = {"inspect": "WHAT [ID ...]", "schedule": "WHAT [NAME ...]", "dead": "WHAT [ID ...]"}


@pytest.mark.parametrize("command", WITH_LISTS)
def test_arguments_that_may_be_left_out_stand_in_brackets(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])

    usage = " ".join(capsys.readouterr().out.partition("\n\n")[0].split())
    assert usage.endswith(WITH_LISTS[command])


@pytest.mark.parametrize("command", WITH_LISTS)
def test_a_list_may_be_left_out_and_an_option_may_stand_before_it(command: str) -> None:
    parser, _ = make_parser([command])
    dest = "names" if command == "schedule" else "ids"
    what = {"inspect": "query_task", "schedule": "remove", "dead": "show"}[command]

    assert command in COMMANDS
    assert getattr(parser.parse_args([command, what]), dest) == []
    assert getattr(parser.parse_args([command, what, "--json", "a", "b"]), dest) == ["a", "b"]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["wroker"], "there is no command 'wroker'; did you mean 'worker'?"),
        (["-A", "project", "sttus"], "there is no command 'sttus'; did you mean 'status'?"),
        (["multi", "start", "w1"], f"there is no command 'multi': {ELSEWHERE['multi']}"),
    ],
)
def test_an_unknown_command_is_told_with_the_nearest_one_or_where_it_went(
    argv: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        main(argv)
    assert exit.value.code == 2
    assert capsys.readouterr().err == f"liteq: {text}\n"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--concurency", "3"], "there is no option --concurency; did you mean '--concurrency'?"),
        (["--concurency=3"], "there is no option --concurency; did you mean '--concurrency'?"),
        (["--zzz"], "there is no option --zzz"),
        (["project"], "one argument too many: 'project'"),
    ],
)
def test_an_unknown_option_is_told_with_the_nearest_one_and_the_usage_of_its_command(
    argv: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["worker", *argv])
    told = capsys.readouterr().err
    assert exit.value.code == 2
    assert told.startswith("usage: liteq worker ")
    assert told.endswith(f"liteq worker: error: {text}\n")


ALL_FLAGS = [
    pytest.param(command or "status", flag, name, id=f"{command or 'all'} {name}")
    for command, flags in FLAGS.items()
    for flag in flags
    for name in flag.names
]


@pytest.mark.parametrize(("command", "flag", "name"), ALL_FLAGS)
def test_an_option_of_celery_without_a_counterpart_says_so_once(
    command: str, flag: Flag, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser, _ = make_parser([command])
    argv = [command, *{"call": ["x"], "inspect": ["stats"], "result": ["x"]}.get(command, [])]
    argv += [name, "1"] if flag.value else [name]
    if flag.refused:
        with pytest.raises(SystemExit):
            parser.parse_args(argv)
        assert capsys.readouterr().err.endswith(f"there is no {name}: {flag.why}\n")
    else:
        parser.parse_args(argv)
        told = capsys.readouterr().err
        assert told == f"liteq: warning: {name} has no meaning here: {flag.why}\n"


def test_help_of_a_command_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["help", "purge"])
    assert capsys.readouterr().out.startswith("usage: liteq purge ")
