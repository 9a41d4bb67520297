"""A process that makes a store, or does one verb on it, and may be killed anywhere.

seed START        make the store in this folder, and die
act VERB          say `ready`, wait for a line, do it, and say `done`
act VERB before   die instead
act VERB after    do it, and die before it is said
act VERB twice    do it once more when the store fails the first time
"""

import json
import os
import sqlite3
import sys
from pathlib import Path

from liteq.brokers import connect
from liteq.brokers.base import Broker
from liteq.brokers.sqlite.schema import APPLICATION_ID
from liteq.brokers.sqlite.sharedstate import SharedState
from liteq.exceptions import BrokerError
from liteq.model.message import Receipt
from liteq.model.pause import Pause
from liteq.support import randomness
from liteq.support.clock import ManualClock
from tests.e2e.project import KILL, ROOT
from tests.faults.crashpoints_verbs import NOW, VERBS, Scene, set_the_scene
from tests.shop import make_shop

# Here every commit waits for the disk: this has all the calls that the other levels have.
URL = "sqlite:///store.db?durability=strict"
SHARED = Path("shared")  # the folder has it if the file is that of an application
NOBODY = Scene(1, {})


def main(what: str, name: str, how: str = "") -> None:
    clock = ManualClock(NOW)
    if (what, name) == ("seed", "shared"):
        SHARED.touch()
        make_shop(Path("store.db"))
    broker = connect(URL + ("&shared=1" if SHARED.exists() else ""), clock=clock)
    if what == "seed":
        seed(broker, clock, name)
    else:
        act(broker, name, how)
    die()


def seed(broker: Broker, clock: ManualClock, start: str) -> None:
    scene = NOBODY
    if start in {"logged", "brimming", "paused"}:
        randomness.seed(0)
        scene = set_the_scene(broker, clock)
    if start == "paused":
        broker.pause(Pause("task", "sub", NOW))
    Path("scene.json").write_text(json.dumps(scene))
    if start == "brimming":
        SharedState("store.db-gate").set_log_size(2**40)
    elif start.startswith("schema"):
        make_old_file(int(start.removeprefix("schema_")))


def make_old_file(version: int) -> None:
    """A file of an earlier version, with a task; nobody closes it."""
    database = sqlite3.connect("store.db", isolation_level=None)
    database.execute("pragma journal_mode = wal")
    database.executescript((ROOT / f"tests/adapters/schema_{version}.sql").read_text())
    database.execute(f"pragma application_id = {APPLICATION_ID}")
    database.execute(f"pragma user_version = {version}")
    values = ("ready-1", "add", "[[1, 1], {}]")
    database.execute("insert into task (id, task, payload) values (?, ?, ?)", values)
    if version > 1:
        database.execute("insert into attempt values (1, 1, 1.0, 2.0, 1, 'retry', 'why')")
        database.execute("update task set attempts = 1")
        database.execute("insert into task_group (id) values ('all')")
    die()


def act(broker: Broker, name: str, how: str) -> None:
    worker, receipts = json.loads(Path("scene.json").read_text())
    scene = Scene(worker, {id: Receipt(*each) for id, each in receipts.items()})
    if name != "open":
        broker.fetch(["nothing"])  # opens it
    print("ready", flush=True)
    sys.stdin.readline()
    if how == "before":
        die()

    for _ in range(2 if how == "twice" else 1):
        randomness.seed(1)  # the tokens are the same each time, and so is what is written
        try:
            VERBS[name].act(broker, scene)
            break
        except BrokerError as exc:
            print(f"refused: {exc}", flush=True)
    else:
        die()
    if how == "after":
        die()
    print("done", flush=True)


def die() -> None:
    os.kill(os.getpid(), KILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
