"""Measures every goal of liteq, side by side with other task queues, and prints a table.

    python benchmarks/run.py            all of it, some half an hour
    python benchmarks/run.py --quick    a first impression, some six minutes
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
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

from contenders import RIVALS, contender
from environment import PYTHON, import_path, make_venv, redis_installed, redis_server
from processes import kill, new_mark
from report import Table, machine
from rows import ROWS
from rows.base import Options, Reading, Row

HERE = Path(__file__).resolve().parent
FULL = Options(seconds=4.0, idle=20.0, backlog=10_000_000)
QUICK = Options(seconds=1.0, idle=5.0, backlog=200_000)


def main() -> int:
    # So that `kill` and `timeout` leave nothing running, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = parse()
    rivals = chosen_rivals(arguments)
    rows = [row for row in ROWS if not arguments.only or row.key in arguments.only]
    if not redis_installed():
        rows = [row for row in rows if not contender(row.ours).on_redis]
    make_venv()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="liteq-bench-")))
        ours = [row.ours for row in rows]
        if any(contender(name).on_redis for name in (*rivals, *ours)):
            os.environ["BENCH_REDIS"] = stack.enter_context(redis_server(folder))
        table = Table(machine(folder), rivals)
        readings: dict[tuple[str, str], Reading] = {}
        for row in rows:
            names = [row.ours, *(name for name in rivals if name in row.rivals)]
            for name in names:
                if (row.measure, name) not in readings:
                    readings[row.measure, name] = repeated(row, name, arguments, folder)
            table.add(row, {name: readings[row.measure, name].get(row.figure) for name in names})
    print(table.text())
    if arguments.json:
        arguments.json.write_text(json.dumps(table.data(readings), indent=2) + "\n")
    return 0 if table.all_there() else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="short runs, once each")
    keys = [row.key for row in ROWS]
    parser.add_argument(
        "--only", action="append", choices=keys, metavar="ROW", help=", ".join(keys)
    )
    parser.add_argument("--rivals", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--against", action="append", choices=RIVALS, help="only these rivals")
    parser.add_argument("--repeat", type=int, help="measurements of which to take the median (3)")
    parser.add_argument("--backlog", type=int, help="tasks waiting in the row `backlog`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all readings there, too")
    arguments = parser.parse_args()
    arguments.options = QUICK if arguments.quick else FULL
    if arguments.backlog:
        arguments.options = replace(arguments.options, backlog=arguments.backlog)
    arguments.repeat = arguments.repeat or (1 if arguments.quick else 3)
    return arguments


def chosen_rivals(arguments: argparse.Namespace) -> tuple[str, ...]:
    if not arguments.rivals:
        return ()
    rivals: Sequence[str] = arguments.against or RIVALS
    if not redis_installed():
        rivals = [name for name in rivals if not contender(name).on_redis]
        say(
            "redis-server is not installed: rivals on Redis are left out (apt install redis-server)"
        )
    return tuple(rivals)


def repeated(row: Row, name: str, arguments: argparse.Namespace, folder: Path) -> Reading:
    """Return the medians of several measurements; empty if one of them failed."""
    runs = []
    for turn in range(arguments.repeat if row.repeat else 1):
        say(f"{row.key}: {name} ({turn + 1})")
        reading = measured(row, name, arguments.options, folder)
        if reading is None:
            return {}
        runs.append(reading)
    return {figure: median(run[figure] for run in runs) for figure in runs[0]}


def measured(row: Row, name: str, options: Options, folder: Path) -> Reading | None:
    """Make one measurement, in a process of its own and a folder of its own; None if it failed."""
    command = [str(PYTHON), str(HERE / "measure.py"), row.measure, name]
    mark = new_mark("BENCH_RUN")
    key, _, value = mark.partition("=")
    with tempfile.TemporaryDirectory(dir=folder) as store:
        environment = {"PYTHONPATH": import_path(), "BENCH_FOLDER": store, key: value}
        try:
            done = subprocess.run(
                [*command, json.dumps(asdict(options))],
                env=os.environ | environment,
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
