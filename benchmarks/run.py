"""Measures every goal of liteq, side by side with other task queues, and prints a table.

    python benchmarks/run.py            all of it, some two hours
    python benchmarks/run.py --quick    a first impression, some fifteen minutes
    python benchmarks/run.py --quick --no-rivals       some five minutes
    python benchmarks/run.py --only drain --only bulk --no-rivals

benchmarks/README.md says what each row is. Linux only: processes are weighed by /proc.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from contenders import EVERY_RIVAL, contender
from environment import (
    compile_projects,
    environment,
    install,
    postgres_installed,
    postgres_server,
    python_of,
    redis_installed,
    redis_server,
    versions,
)
from processes import kill, new_mark
from report import Table, append_history, machine, write_readme
from rows import ROWS
from rows.base import Options, Reading, Row

HERE = Path(__file__).resolve().parent
FULL = Options(seconds=4.0, idle=20.0, backlog=10_000_000, patience=120.0)
QUICK = Options(seconds=1.0, idle=5.0, backlog=200_000, patience=15.0)

Runs = dict[tuple[str, str], list[Reading | None]]
"""The readings of each measure and contender, turn by turn; None is one that failed."""


def main() -> int:
    # So that `kill` and `timeout` leave nothing running, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = parse()
    rivals = tuple(installed(arguments.against or EVERY_RIVAL)) if arguments.rivals else ()
    rows = [row for row in ROWS if not arguments.only or row.key in arguments.only]
    rows = [row for row in rows if redis_installed() or not contender(row.ours).on_redis]
    measured_ones = {name for row in rows for name in names_in(row, rivals)}
    queues = sorted({contender(name).queue for name in measured_ones})
    for queue in queues:
        install(queue)
    compile_projects()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="liteq-bench-")))
        if any(contender(name).on_redis for name in measured_ones):
            os.environ["BENCH_REDIS"] = stack.enter_context(redis_server(folder))
        if any(contender(name).on_postgres for name in measured_ones):
            os.environ["BENCH_POSTGRES"] = stack.enter_context(postgres_server(folder))
        table = Table(machine(folder, versions(queues)), rivals)
        runs: Runs = {}
        for row in rows:
            take_turns(row, rows, rivals, arguments, folder, runs)
            names = names_in(row, rivals)
            table.add(row, {name: runs[row.measure, name] for name in names})
    print(table.text())
    if arguments.json:
        arguments.json.write_text(json.dumps(table.data(), indent=2) + "\n")
    if arguments.history:
        append_history(arguments.history, table.data())
    if arguments.readme:
        write_readme(table)
    return 0 if table.all_there() else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="short runs, once each")
    keys = [row.key for row in ROWS]
    parser.add_argument(
        "--only", action="append", choices=keys, metavar="ROW", help=", ".join(keys)
    )
    parser.add_argument("--rivals", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--against", action="append", choices=EVERY_RIVAL, help="only these rivals")
    parser.add_argument("--repeat", type=int, help="measurements of which to take the median (3)")
    parser.add_argument("--backlog", type=int, help="tasks waiting in the row `backlog`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all readings there, too")
    parser.add_argument(
        "--history", type=Path, metavar="FILE", help="append the figures there, as a line of JSON"
    )
    parser.add_argument(
        "--readme", action="store_true", help="put the table into benchmarks/README.md"
    )
    arguments = parser.parse_args()
    arguments.options = QUICK if arguments.quick else FULL
    if arguments.backlog:
        arguments.options = replace(arguments.options, backlog=arguments.backlog)
    arguments.repeat = arguments.repeat or (1 if arguments.quick else 3)
    return arguments


def installed(names: Sequence[str]) -> Iterator[str]:
    """Yield those of the rivals whose server can be started here; say of the others why not."""
    redis, postgres = redis_installed(), postgres_installed()
    for name in names:
        if contender(name).on_redis and not redis:
            say(f"{name} is left out: redis-server is not installed (apt install redis-server)")
        elif contender(name).on_postgres and not postgres:
            say(f"{name} is left out: Postgres is not installed (apt install postgresql)")
        else:
            yield name


def names_in(row: Row, rivals: Sequence[str]) -> list[str]:
    """Return the contenders of a row, ours first."""
    return [row.ours, *(name for name in rivals if name in row.rivals)]


def take_turns(
    row: Row,
    rows: Sequence[Row],
    rivals: Sequence[str],
    arguments: argparse.Namespace,
    folder: Path,
    runs: Runs,
) -> None:
    """Take the measure of a row of all contenders that any row wants it of, by turns.

    So whatever else the machine does meets all of them.
    """
    if (row.measure, row.ours) in runs:
        return
    alike = [each for each in rows if each.measure == row.measure]
    names = list(dict.fromkeys(name for each in alike for name in names_in(each, rivals)))
    for turn in range(arguments.repeat if row.repeat else 1):
        for name in names:
            say(f"{row.key}: {name} ({turn + 1})")
            reading = measured(row, name, arguments.options, folder)
            runs.setdefault((row.measure, name), []).append(reading)


def measured(row: Row, name: str, options: Options, folder: Path) -> Reading | None:
    """Run one measurement, in a process of its own and a folder of its own; None if it failed."""
    python = python_of(contender(name).queue)
    command = [str(python), str(HERE / "measure.py"), row.measure, name]
    mark = new_mark("BENCH_RUN")
    key, _, value = mark.partition("=")
    with tempfile.TemporaryDirectory(dir=folder) as store:
        try:
            done = subprocess.run(
                [*command, json.dumps(asdict(options))],
                env={**environment(Path(store)), key: value},
                cwd=store,  # with `python -m`, the folder that one is in comes first on the path
                stdout=subprocess.PIPE,
                timeout=row.deadline,
                check=True,
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as problem:
            say(f"FAILED {row.key}: {name}: {type(problem).__name__}")
            return None
        finally:
            kill(mark)
    reading: Reading = json.loads(done.stdout.splitlines()[-1])
    return reading


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
