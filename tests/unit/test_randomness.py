"""Random numbers of a program, and those of liteq."""

import os
import random
import subprocess
import sys

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.model.message import Message, new_id

FORK = """
import os
from liteq.support.randomness import getrandbits

child = os.fork()
if child:
    os.waitpid(child, 0)
os.write(1, b"%d\\n" % getrandbits(80))
"""


def ids_of_a_program_that_seeds(n: int) -> list[str]:
    """Return the ids of `n` tasks, each of which is sent in the same state of `random`."""
    ids = []
    for _ in range(n):
        random.seed(42)
        ids.append(new_id())
    return ids


def test_tasks_of_a_program_that_seeds_have_ids_of_their_own() -> None:
    ids = ids_of_a_program_that_seeds(1000)  # several in one millisecond
    assert len(set(ids)) == len(ids)


def test_tasks_of_a_program_that_seeds_have_tokens_of_their_own(store: str) -> None:
    """By the token it is known which tasks of a dead worker had started."""
    broker = connect(store)
    worker = broker.register("worker", "{}")
    for id in "abc":
        random.seed(42)
        broker.enqueue([Message(id, "task", b"", "json", "x")])

    claimed = broker.claim(Claim(worker, ("x",), 3))
    broker.close()
    assert len({each.token for each in claimed}) == 3


def test_a_program_that_seeds_draws_what_it_draws_without_tasks(store: str) -> None:
    random.seed(42)
    state = random.getstate()
    broker = connect(store)
    broker.enqueue([Message(new_id(), "task", b"", "json", "x")])
    broker.close()

    assert random.getstate() == state


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot fork here")
def test_a_forked_process_draws_other_numbers_than_its_parent() -> None:
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, check=True, text=True)
    parent, child = ran.stdout.split()
    assert parent != child
