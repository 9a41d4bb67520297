"""`delay()` at the default durability, against what SQLite itself can commit to the disk."""

import os
import sqlite3
import time
from pathlib import Path
from statistics import median

from contenders import Contender
from processes import Failed

from .base import Options, Reading

TURNS = 5  # raw and delay() by turns, for a disk has its moods

TABLE = """
CREATE TABLE task (id INTEGER PRIMARY KEY, uid BLOB, queue TEXT, prio INT, state INT, payload BLOB);
CREATE INDEX ready ON task (queue, prio DESC, id) WHERE state = 0;
"""
INSERT = "INSERT INTO task (uid, queue, prio, state, payload) VALUES (?, 'default', 0, 0, ?)"


def measure(contender: Contender, options: Options) -> Reading:
    """Return the commits per second of both, and liteq's share of the raw rate."""
    raw, seconds = _open(), options.seconds / TURNS
    turns = [(_raw_rate(raw, seconds), _delay_rate(contender, seconds)) for _ in range(TURNS)]
    raw.close()
    if (stored := contender.waiting()) != len(contender.sent):
        raise Failed(f"{len(contender.sent)} tasks were sent, {stored} are stored")
    rates = [median(rates) for rates in zip(*turns, strict=True)]
    return Reading(raw=rates[0], rate=rates[1], share=rates[1] / rates[0])


def _open() -> sqlite3.Connection:
    raw = sqlite3.connect(Path(os.environ["BENCH_FOLDER"], "raw.db"), isolation_level=None)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")
    raw.executescript(TABLE)
    return raw


def _raw_rate(raw: sqlite3.Connection, seconds: float) -> float:
    count, begin = 0, time.perf_counter()
    while (took := time.perf_counter() - begin) < seconds:
        raw.execute(INSERT, (os.urandom(16), b"x" * 40))
        count += 1
    return count / took


def _delay_rate(contender: Contender, seconds: float) -> float:
    count, begin = 0, time.perf_counter()
    while (took := time.perf_counter() - begin) < seconds:
        contender.enqueue_each(1)
        count += 1
    return count / took
