"""The table, for people and as data."""

import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rows.base import Reading, Row

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
BEGIN, END = "<!-- table of run.py --readme -->", "<!-- end of the table -->"
MISSING = "failed"

Turns = Sequence[Reading | None]  # None: it failed
Figures = Mapping[str, float | None]


class Table:
    """Rows as they are measured: liteq's figure, each rival's, the lead, the goal."""

    def __init__(self, machine: str, rivals: tuple[str, ...]) -> None:
        self._machine, self._rivals = machine, rivals
        self._rows: list[tuple[Row, Mapping[str, Turns]]] = []
        self.when = datetime.now(UTC)

    def add(self, row: Row, runs: Mapping[str, Turns]) -> None:
        """Add a row: the readings of each contender, turn by turn."""
        self._rows.append((row, runs))

    def all_there(self) -> bool:
        """Return whether no measurement failed."""
        return all(None not in turns for _, runs in self._rows for turns in runs.values())

    def text(self) -> str:
        """Return the table in Markdown."""
        head = ["row", "liteq", *self._rivals, "lead", "goal", "met"]
        lines = [head, ["---"] + ["--:"] * (len(head) - 1)]
        lines += [self._cells(row, runs) for row, runs in self._rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        padded = ([cell.ljust(w) for cell, w in zip(line, widths, strict=True)] for line in lines)
        return "\n".join([self._machine, "", *(f"| {' | '.join(line)} |" for line in padded)])

    def data(self) -> dict[str, Any]:
        """Return all figures, for other programs."""
        return {
            "machine": self._machine,
            "commit": commit(),
            "when": self.when.isoformat(timespec="seconds"),
            "rows": {row.key: figures_of(row, runs) for row, runs in self._rows},
            "leads": {row.key: lead(row, runs) for row, runs in self._rows},
            "readings": {
                f"{name} {row.measure}": list(turns)
                for row, runs in self._rows
                for name, turns in runs.items()
            },
        }

    def _cells(self, row: Row, runs: Mapping[str, Turns]) -> list[str]:
        figures = figures_of(row, runs)
        ours = figures[row.ours]
        others = [shown(row, figures[name]) if name in figures else "" for name in self._rivals]
        goal = met = ""
        if row.goal is not None:
            goal = f"{row.sense} {number(row.goal)} {row.unit}"
            met = "" if ours is None else "yes" if row.met(ours) else "NO"
        ahead = lead(row, runs)
        in_words = "" if ahead is None else f"{ahead:.2f} x"
        return [row.title, shown(row, ours), *others, in_words, goal, met]


def figures_of(row: Row, runs: Mapping[str, Turns]) -> Figures:
    """Return the median of each contender's turns; None if one of them failed."""
    return {
        name: None if None in turns else median(each[row.figure] for each in turns if each)
        for name, turns in runs.items()
    }


def lead(row: Row, runs: Mapping[str, Turns]) -> float | None:
    """Return how many times better liteq is than the best of the rivals; None without any.

    The two are compared turn by turn, and the median counts: a turn on a busy machine is slow for
    both, so this tells more than the figures do.
    """
    ratios = []
    for name, turns in runs.items():
        pairs = [(a, b) for a, b in zip(runs[row.ours], turns, strict=True) if a and b]
        if name != row.ours and pairs:
            ratios.append(median(row.lead(a[row.figure], b[row.figure]) for a, b in pairs))
    return min(ratios, default=None)


def shown(row: Row, value: float | None) -> str:
    return MISSING if value is None else f"{number(value)} {row.unit}"


def number(value: float) -> str:
    """Return a figure in three digits, which is all that a benchmark knows."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine(folder: Path, versions: Sequence[str]) -> str:
    """Return what was measured, and where: versions, cores, the file system of the stores, the
    load."""
    facts = [
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        f"{len(os.sched_getaffinity(0))} cores",
        f"{platform.system()} {platform.machine()}",
        f"stores on {file_system(folder)}",
        f"load {os.getloadavg()[0]:.1f} when it began",
        *versions,
    ]
    return ", ".join(facts)


def commit() -> str:
    """Return the commit that is measured; empty outside of a repository."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def append_history(path: Path, data: Mapping[str, Any]) -> None:
    """Append a run to `path`, as one line of JSON without the single readings."""
    line = {name: value for name, value in data.items() if name != "readings"}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def write_readme(table: Table) -> None:
    """Put the table into README.md, in the place of the one that is there."""
    page = README.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    what = f"Measured on {table.when:%Y-%m-%d} at {commit()}: {table.text()}"
    README.write_text(f"{before}{BEGIN}\n\n{what}\n\n{END}{after}", encoding="utf-8")


def file_system(folder: Path) -> str:
    command = ["stat", "-f", "-c", "%T", folder]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "an unknown file system"
