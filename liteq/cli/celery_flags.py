"""Celery's commands and options without a counterpart here, each with the reason or its cure.

An option that asks for nothing that liteq could do is accepted with one warning; one whose loss
would be noticed is refused.
"""

import sys
from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any, NamedTuple

from .exits import misused
from .output import complain

ALIASES: dict[str, list[str]] = {"report": ["inspect", "report"]}

ELSEWHERE: dict[str, str] = {
    "amqp": "there is no AMQP broker: see `liteq status` and `liteq inspect`",
    "events": "there is no stream of events: see `liteq status` and `liteq inspect active`",
    "flower": "the dashboard is `liteq web`",
    "graph bindings": "there are no boot steps: `liteq graph ID` shows a workflow",
    "graph workers": "there are no nodes and threads to draw: `liteq inspect stats` lists workers",
    "control disable_events": "there are no event messages; `liteq status` reads the store",
    "control election": "workers do not talk to each other",
    "control enable_events": "there are no event messages; `liteq status` reads the store",
    "inspect hello": "workers do not greet each other: `liteq inspect ping`",
    "inspect memdump": "look into a process with py-spy or memray",
    "inspect memsample": "look into a process with py-spy or memray",
    "inspect objgraph": "look into a process with py-spy or memray",
    "list": "there are no exchanges and bindings: `liteq status` shows the queues",
    "logtool": "see the log with any tool for text",
    "migrate": "that is `liteq move --from URL --to URL`",
    "multi": "one worker has as many slots as you want (-c); several workers are services of a "
    "service manager, such as liteq@1 and liteq@2 of systemd",
    "upgrade": "Celery's settings are read under their old and new names, so there is nothing to "
    "rewrite",
}


class Flag(NamedTuple):
    """An option of Celery that liteq does not have."""

    names: tuple[str, ...]
    why: str
    value: bool = False  # it takes a value
    refused: bool = False


_SCHEDULER = Flag(("--scheduler",), "every worker has the same scheduler", True)
_SCHEDULE_FILE = Flag(
    ("-s", "--schedule", "--schedule-filename"), "the store has the schedule", True
)
_REPLIES = Flag(("-t", "--timeout"), "all is read from the store, and no worker is asked", True)
_HEARTBEAT = "a worker's heartbeat is its row in the store"
_TO_EACH_OTHER = "workers do not talk to each other"
_PREFETCH = "a worker claims no more than its slots begin at once"

FLAGS: dict[str, tuple[Flag, ...]] = {
    "": (  # of all commands
        Flag(("--loader",), "modules are loaded in one way", True),
        Flag(("-C", "--no-color"), "nothing is printed in colour"),
        Flag(("--skip-checks",), "Django's checks are not run"),
    ),
    "worker": (
        _SCHEDULE_FILE,
        _SCHEDULER,
        Flag(("-O", "--optimization"), "slots get tasks by how long they take", True),
        Flag(("-E", "--task-events", "--events"), "the store has the state of each task"),
        Flag(("-S", "--statedb"), "the store has the tasks that were revoked", True),
        Flag(("--prefetch-multiplier",), _PREFETCH, True),
        Flag(("--disable-prefetch",), _PREFETCH),
        Flag(("--without-gossip",), _TO_EACH_OTHER),
        Flag(("--without-mingle",), _TO_EACH_OTHER),
        Flag(("--without-heartbeat",), _HEARTBEAT),
        Flag(("--heartbeat-interval",), _HEARTBEAT, True),
    ),
    "beat": (_SCHEDULE_FILE, _SCHEDULER._replace(names=("-S", "--scheduler"))),
    "call": (
        Flag(("--exchange",), "there are no exchanges: give --queue", True),
        Flag(("--routing-key",), "there are no exchanges: give --queue", True),
    ),
    "status": (_REPLIES,),
    "inspect": (
        Flag(("-l", "--list"), "`liteq inspect --help` lists what it shows", refused=True),
    ),
    "control": (
        Flag(("-l", "--list"), "`liteq control --help` lists what workers do", refused=True),
    ),
    "shell": (
        Flag(("--eventlet",), "there are no green threads"),
        Flag(("--gevent",), "there are no green threads"),
    ),
    "result": (Flag(("-t", "--task"), "the store knows the name of the task", True),),
}


def add_celery_flags(parser: ArgumentParser, command: str) -> None:
    """Add the options of Celery's `command` that are not ours. `--help` does not list them."""
    for flag in FLAGS.get(command, ()):
        parser.add_argument(
            *flag.names,
            action=Meaningless,
            nargs=None if flag.value else 0,
            const=flag,
            default=SUPPRESS,
            help=SUPPRESS,
        )


class Meaningless(Action):
    """An option that is refused, or accepted with a warning, as the flag `const` says."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if self.const.refused:
            sys.exit(misused(f"there is no {option_string}: {self.const.why}"))
        complain(f"warning: {option_string} has no meaning here: {self.const.why}")
