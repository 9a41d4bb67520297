"""The usage texts of commands."""

import sys

import pytest

from liteq import LiteQ
from liteq.cli import main
from liteq.cli.celery_flags import ELSEWHERE, FLAGS, Flag
from liteq.cli.parsing import make_parser

WITH_LISTS = {
    "inspect": "WHAT [ID ...]",
    "control": "WHAT [ARGUMENT ...]",
    "schedule": "[WHAT NAME ...]",
    "dead": "[WHAT ID ...]",
    "jobs": "[WHAT ID ...]",
}


@pytest.mark.parametrize("command", WITH_LISTS)
def test_arguments_that_may_be_left_out_stand_in_brackets(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])

    usage = " ".join(capsys.readouterr().out.partition("\n\n")[0].split())
    assert usage.endswith(WITH_LISTS[command])


def test_a_list_may_be_left_out_and_an_option_may_stand_before_it() -> None:
    parser, _ = make_parser(["inspect"])

    assert parser.parse_args(["inspect", "query_task"]).ids == []
    assert parser.parse_args(["inspect", "query_task", "--json", "a", "b"]).ids == ["a", "b"]


@pytest.mark.parametrize("command", ["schedule", "dead", "jobs"])
def test_without_an_action_it_lists_and_options_may_stand_anywhere(
    command: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with LiteQ("x", broker=store, set_as_current=False) as app:
        app.send_task("x")

    assert main([command, "-b", store, "--json"]) == 0
    implied = capsys.readouterr().out
    assert main([command, "list", "-b", store, "--json"]) == 0
    assert capsys.readouterr().out == implied
    what = "remove" if command == "schedule" else "show"
    assert main([command, "-b", store, what, "--json", "no-such"]) == 1
    assert "no-such" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["dead", "shw"], "there is no dead shw; did you mean 'show'?"),
        (["jobs", "retyr"], "there is no jobs retyr; did you mean 'retry'?"),
        (["schedule", "zzz"], "there is no schedule zzz: give one of list, add, pause, resume"),
    ],
)
def test_an_unknown_action_is_told_with_the_nearest_one(
    argv: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith(f"liteq: {text}")


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["inspect", "registerd"], "there is no inspect registerd; did you mean 'registered'?"),
        (["control", "pool_grw"], "there is no control pool_grw; did you mean 'pool_grow'?"),
        (["control", "ping"], "there is no control ping: give one of pool_grow, "),
        (["control", "pool_grow", "x"], "control pool_grow [N=1]: n cannot be 'x'"),
        (["control", "pool_grow", "1", "2"], "control pool_grow [N=1]: one argument too many: '2'"),
        (["inspect", "ping", "x"], "inspect ping: one argument too many: 'x'"),
    ],
)
def test_what_workers_cannot_be_told_is_told_in_one_line(
    argv: list[str], text: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with LiteQ("x", broker=store, set_as_current=False) as app:
        app.send_task("x")

    assert main([*argv, "-b", store]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"liteq: {text}")
    assert err.count("\n") == 1


def test_an_option_that_is_refused_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["inspect", "--list"])
    assert exit.value.code == 2
    assert capsys.readouterr().err.startswith("liteq: there is no --list: `liteq inspect --help`")


OF_CELERYS_WORKER = """
    -n=w --hostname=w -D --detach -S=f --statedb=f -l=info --loglevel=info -O=fair
    --optimization=fair --prefetch-multiplier=1 --disable-prefetch -c=2 --concurrency=2 -P=solo
    --pool=solo -E --task-events --events --time-limit=5 --soft-time-limit=5
    --max-tasks-per-child=5 --max-memory-per-child=5 --scheduler=s -s=f --schedule=f
    --schedule-filename=f --purge --discard -Q=a,b --queues=a,b -X=a --exclude-queues=a -I=m
    --include=m --without-gossip --without-mingle --without-heartbeat --heartbeat-interval=2
    --autoscale=10,2 -B --beat -f=f --logfile=f --pidfile=f --uid=1 --gid=1 --umask=022
    --executable=python
"""


@pytest.mark.parametrize("flag", OF_CELERYS_WORKER.split())
def test_each_option_of_celery_s_worker_is_one_here_or_warned_of_once(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser, _ = make_parser(["worker"])
    name, _, value = flag.partition("=")
    parser.parse_args(["worker", name, *([value] if value else [])])

    warned = capsys.readouterr().err
    meaningless = [each for each in FLAGS["worker"] if name in each.names]
    assert not any(each.refused for each in meaningless)
    expected = [f"liteq: warning: {name} has no meaning here: {each.why}" for each in meaningless]
    assert warned.splitlines() == expected


@pytest.mark.parametrize(
    ("text", "bounds"), [("10,2", (10, 2)), ("10", (10, 1)), ("10,0", (10, 1)), ("3,3", (3, 3))]
)
def test_the_bounds_of_autoscale(text: str, bounds: tuple[int, int]) -> None:
    parser, _ = make_parser(["worker"])

    assert parser.parse_args(["worker", "--autoscale", text]).autoscale == bounds


@pytest.mark.parametrize("text", ["2,10", "0,0", "x", "10,x", "10,2,1", ""])
def test_bounds_of_autoscale_that_cannot_be(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser, _ = make_parser(["worker"])
    with pytest.raises(SystemExit):
        parser.parse_args(["worker", "--autoscale", text])
    assert "--autoscale" in capsys.readouterr().err


def test_a_prompt_that_is_not_installed_is_told_in_one_line(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "bpython", None)

    assert main(["shell", "-B", "-b", store]) == 78
    err = capsys.readouterr().err
    assert err.startswith("liteq: bpython cannot be imported: ")
    assert "pip install bpython" in err
    assert err.count("\n") == 1


def test_all_of_celerys_log_levels_are_known() -> None:
    parser, _ = make_parser(["worker"])

    assert parser.parse_args(["worker", "-l", "fatal"]).loglevel == "FATAL"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["wroker"], "there is no command 'wroker'; did you mean 'worker'?"),
        (["-A", "project", "sttus"], "there is no command 'sttus'; did you mean 'status'?"),
        (["flower"], f"there is no command 'flower': {ELSEWHERE['flower']}"),
        (["multi", "start", "w1"], f"there is no command 'multi': {ELSEWHERE['multi']}"),
        (
            ["-A", "project", "inspect", "hello", "--json"],
            f"there is no command 'inspect hello': {ELSEWHERE['inspect hello']}",
        ),
        (
            ["graph", "bindings"],
            f"there is no command 'graph bindings': {ELSEWHERE['graph bindings']}",
        ),
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
