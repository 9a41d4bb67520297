"""Run one shell command on a hundred machines, without waiting for any of them.

    python examples/hundred_machines.py                     a demonstration on local processes
    python examples/hundred_machines.py --ssh HOSTS -- uptime   one host a line, over ssh
    python examples/hundred_machines.py --results RUN       the results of a run, any time later

Every machine is a task, so the run has an id at once, a machine that hangs or fails does not delay
the others, and results can be read from any other process. The worker is part of this program.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from liteq import LiteQ
from liteq.result import AsyncResult

app = LiteQ("hundred_machines")

# Machine 13 is broken and machine 42 hangs: that must not affect the others.
DEMO = 'case $MACHINE in 13) echo "disk full" >&2; exit 3;; 42) sleep 60;; esac; sleep 0.2; date'


class CommandFailed(Exception):
    """The command ended with another exit code than 0."""


@app.task(throws=(CommandFailed, subprocess.TimeoutExpired))
def run_on(machine: str, command: str, over_ssh: bool, timeout: float) -> str:
    """Return what `command` prints on `machine`.

    Raises CommandFailed when it fails, TimeoutExpired when it takes longer than `timeout` seconds.
    """
    argv = ["ssh", "-o", "BatchMode=yes", machine, command] if over_ssh else ["sh", "-c", command]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "MACHINE": machine},
        check=False,
    )
    if done.returncode:
        raise CommandFailed(f"exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


def results_of(run: str) -> list[AsyncResult[str]]:
    """Return the results of the run with that id."""
    found = []
    while (result := app.AsyncResult(f"{run}-{len(found):03}")).exists():
        found.append(result)
    return found


def show_progress(results: list[AsyncResult[str]]) -> None:
    """Show a progress bar, and do other work meanwhile."""
    started, primes, candidate, done = time.monotonic(), 0, 2, -1
    while done < len(results):
        done = sum(result.ready() for result in results)
        bar = ("#" * (40 * done // len(results))).ljust(40, ".")
        print(f"\r[{bar}] {done}/{len(results)}  meanwhile: {primes} primes", end="", flush=True)
        pause = time.monotonic() + 0.1
        while time.monotonic() < pause:  # our own work goes on
            primes += all(candidate % divisor for divisor in range(2, int(candidate**0.5) + 1))
            candidate += 1
    print(f"\n{len(results)} machines in {time.monotonic() - started:.1f} s")


def show_results(results: list[AsyncResult[str]]) -> int:
    """Print which machines failed and why; return how many did."""
    failed = [result for result in results if result.failed()]
    for result in failed:
        reason = str(result.result).splitlines()[0]
        print(f"  {result.id}: {type(result.result).__name__}: {reason}")
    waiting = sum(not result.ready() for result in results)
    print(f"{len(results) - len(failed) - waiting} ok, {len(failed)} failed, {waiting} unfinished")
    return len(failed)


def main() -> int:
    """Send the tasks, show their progress, report the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machines", type=int, default=100, help="how many local ones to play")
    parser.add_argument("--ssh", type=Path, metavar="HOSTS", help="file with one host a line")
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds for each machine")
    parser.add_argument("--parallel", type=int, default=25, help="how many at a time")
    parser.add_argument("--results", metavar="RUN", help="show an earlier run")
    parser.add_argument("command", nargs="*", help="the shell command")
    args = parser.parse_args()
    if args.results:
        return 1 if show_results(results_of(args.results)) else 0

    hosts = args.ssh.read_text().split() if args.ssh else map(str, range(args.machines))
    command = " ".join(args.command) or DEMO
    run = f"run-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    with app.Worker(pool="threads", concurrency=args.parallel):
        results = app.enqueue_many(
            run_on.s(host, command, bool(args.ssh), args.timeout).set(task_id=f"{run}-{n:03}")
            for n, host in enumerate(hosts)
        )
        print(f"{len(results)} tasks sent as {run}; look again with --results {run}")
        show_progress(results)
    show_results(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
