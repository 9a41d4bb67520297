"""The usage texts of commands."""

import pytest

from liteq.cli import COMMANDS, main, make_parser

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
    parser = make_parser([command])
    dest = "names" if command == "schedule" else "ids"
    what = {"inspect": "query_task", "schedule": "remove", "dead": "show"}[command]

    assert command in COMMANDS
    assert getattr(parser.parse_args([command, what]), dest) == []
    assert getattr(parser.parse_args([command, what, "--json", "a", "b"]), dest) == ["a", "b"]
