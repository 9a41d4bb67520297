"""The table, for people and as data."""

import os
import platform
import sqlite3
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from environment import RIVALS as RIVALS_FILE
from rows.base import Reading, Row

Figures = Mapping[str, float | None]
MISSING = "failed"


class Table:
    """Rows as they are measured: liteq's figure, each rival's, the lead, the goal."""

    def __init__(self, machine: str, rivals: tuple[str, ...]) -> None:
        self._machine, self._rivals = machine, rivals
        self._rows: list[tuple[Row, Figures]] = []

    def add(self, row: Row, figures: Figures) -> None:
        """Add a row; a figure of None is one whose measurement failed."""
        self._rows.append((row, figures))

    def all_there(self) -> bool:
        """Return whether no measurement failed."""
        return all(None not in figures.values() for _, figures in self._rows)

    def text(self) -> str:
        """Return the table in Markdown."""
        head = ["row", "liteq", *self._rivals, "lead", "goal", "met"]
        lines = [head, ["---"] + ["--:"] * (len(head) - 1)]
        lines += [self._cells(row, figures) for row, figures in self._rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        padded = ([cell.ljust(w) for cell, w in zip(line, widths, strict=True)] for line in lines)
        return "\n".join([self._machine, "", *(f"| {' | '.join(line)} |" for line in padded)])

    def data(self, readings: Mapping[tuple[str, str], Reading]) -> dict[str, Any]:
        """Return all figures, for `--json`."""
        return {
            "machine": self._machine,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": {row.key: dict(figures) for row, figures in self._rows},
            "readings": {f"{name} {measure}": r for (measure, name), r in readings.items()},
        }

    def _cells(self, row: Row, figures: Figures) -> list[str]:
        ours = figures[row.ours]
        others = [shown(row, figures[name]) if name in figures else "" for name in self._rivals]
        goal = met = ""
        if row.goal is not None:
            goal = f"{row.sense} {number(row.goal)} {row.unit}"
            met = "" if ours is None else "yes" if row.met(ours) else "NO"
        return [row.title, shown(row, ours), *others, lead(row, figures), goal, met]


def lead(row: Row, figures: Figures) -> str:
    """Return how many times better liteq is than the best of the rivals."""
    ours = figures[row.ours]
    theirs = [value for name, value in figures.items() if name != row.ours and value is not None]
    if ours is None or not theirs:
        return ""
    return f"{min(row.lead(ours, value) for value in theirs):.1f} x"


def shown(row: Row, value: float | None) -> str:
    return MISSING if value is None else f"{number(value)} {row.unit}"


def number(value: float) -> str:
    """Return `value` with three digits, which are all that a benchmark knows."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine(folder: Path) -> str:
    """Return what was measured, and where: versions, cores, the file system of the stores."""
    rivals = [line.partition("#")[0].strip() for line in RIVALS_FILE.read_text().splitlines()]
    facts = [
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        f"{len(os.sched_getaffinity(0))} cores",
        f"{platform.system()} {platform.machine()}",
        f"stores on {file_system(folder)}",
        *(rival for rival in rivals if rival),
    ]
    return ", ".join(facts)


def file_system(folder: Path) -> str:
    command = ["stat", "-f", "-c", "%T", folder]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "an unknown file system"
