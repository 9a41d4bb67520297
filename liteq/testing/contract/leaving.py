"""The contract of what `claim` leaves: tasks that a worker does not know wait for one that does."""

import json
from collections.abc import Sequence

from ...brokers.base import Claim
from ...model.message import Delivery
from ...model.pause import LeftTasks, Pause, PauseKind
from ...states import Phase
from .harness import Harness, ids

MANY = 1200  # more than one transaction, or script, takes out of the way


class Leaving(Harness):
    """A worker is handed only what it knows, if it says so."""

    def worker_that_knows(self, *tasks: str) -> int:
        """Return a new worker that is to be handed only tasks of these names."""
        return self.broker.register("knowing", knowing(*tasks))

    def claim_by(
        self, worker: int, limit: int = 10, queues: Sequence[str] = ("celery",)
    ) -> list[Delivery]:
        """Claim with `worker`."""
        return self.broker.claim(Claim(worker, tuple(queues), limit))

    def test_a_worker_is_handed_only_tasks_that_it_knows(self) -> None:
        self.send("a", task="new")
        self.send("b", task="old")
        self.send("c", task="new", priority=5)

        assert ids(self.claim_by(self.worker_that_knows("old", "older"))) == ["b"]
        assert ids(self.claim_by(self.worker_that_knows("new"))) == ["c", "a"]

    def test_a_worker_that_does_not_say_what_it_knows_is_handed_all(self) -> None:
        self.send("a", task="new")
        lists = '{"tasks": ["old"]}'

        assert ids(self.claim_by(self.broker.register("any", lists))) == ["a"]

    def test_what_a_worker_leaves_is_ready_and_nothing_is_charged(self) -> None:
        self.send("a", task="new")
        before = self.record()
        self.claim_by(self.worker_that_knows("old"))

        assert self.record() == before._replace(token=self.record().token)
        assert self.broker.attempts("a") == []

    def test_tasks_behind_many_unknown_ones_are_handed_out(self) -> None:
        self.send(*(f"n{n}" for n in range(MANY)), task="new")
        self.send("last", task="old")
        worker = self.worker_that_knows("old")

        assert ids(self.claim_by(worker, limit=1)) == ["last"]
        assert self.claim_by(worker, limit=1) == []
        knows = self.worker_that_knows("new", "old")
        assert ids(self.claim_by(knows, limit=2 * MANY)) == [f"n{n}" for n in range(MANY)]

    def test_a_claim_that_is_made_while_settling_leaves_unknown_tasks(self) -> None:
        self.send("a", task="old")
        self.send("b", task="new")
        self.send("c", task="old")
        worker = self.worker_that_knows("old")
        (a,) = self.claim_by(worker, limit=1)

        settled = self.broker.settle([self.success(a)], Claim(worker, ("celery",), 1))
        assert ids(settled.claimed) == ["c"]

    def test_a_worker_is_handed_what_it_knows_by_its_last_heartbeat(self) -> None:
        self.send("a", task="new")
        worker = self.worker_that_knows("old")
        assert self.claim_by(worker) == []
        self.broker.beat(worker, knowing("new"))

        assert ids(self.claim_by(worker)) == ["a"]
        self.send("b", task="old")
        assert self.claim_by(worker) == []

    def test_a_left_task_that_runs_again_is_left_again(self) -> None:
        self.send("a", task="new")
        old, new = self.worker_that_knows("old"), self.worker_that_knows("new")
        self.claim_by(old)
        (a,) = self.claim_by(new)
        self.settle(self.retry(a))

        assert self.claim_by(old) == []
        assert ids(self.claim_by(new)) == ["a"]

    def test_only_a_worker_of_its_queue_is_handed_a_left_task(self) -> None:
        self.send("a", task="new", queue="x")
        self.claim_by(self.worker_that_knows("old"), queues=["x", "y"])
        new = self.worker_that_knows("new")

        assert self.claim_by(new, queues=["y"]) == []
        assert ids(self.claim_by(new, queues=["y", "x"])) == ["a"]

    def test_a_left_task_is_not_handed_out_while_it_is_paused(self) -> None:
        self.send("a", task="new")
        self.claim_by(self.worker_that_knows("old"))
        new = self.worker_that_knows("new")
        self.broker.pause(Pause(PauseKind.TASK, "new"))
        self.broker.pause(Pause(PauseKind.QUEUE, "celery"))

        assert self.claim_by(new) == []
        self.broker.resume(PauseKind.TASK, "new")
        assert self.claim_by(new) == []
        self.broker.resume(PauseKind.QUEUE, "celery")
        assert ids(self.claim_by(new)) == ["a"]

    def test_what_workers_have_left_is_told_until_it_is_gone(self) -> None:
        assert self.broker.left() == []
        self.send("a", "b", task="new")
        self.send("c", task="newer", queue="x")
        old = self.worker_that_knows("old")
        self.claim_by(old)
        self.clock.advance(5)
        self.claim_by(old, queues=["x", "celery"])

        assert self.broker.left() == [
            LeftTasks("celery", "new", 2, self.clock() - 5),
            LeftTasks("x", "newer", 1, self.clock()),
        ]
        self.broker.cancel(["a"], keep=None)
        self.claim_by(self.worker_that_knows("newer"), queues=["x"])
        assert self.broker.left() == [LeftTasks("celery", "new", 1, self.clock() - 5)]
        self.broker.purge(None)
        assert self.broker.left() == []

    def test_what_expires_after_a_worker_has_left_it_ends(self) -> None:
        self.send("a", task="new", expires=self.clock() + 5)
        assert self.claim_by(self.worker_that_knows("old")) == []
        self.clock.advance(5)
        while not self.broker.expire(limit=100, keep=60):
            pass

        assert self.phase("a") is Phase.EXPIRED
        assert self.broker.left() == []


def knowing(*tasks: str) -> str:
    """Return the `info` of a worker that is handed only tasks of these names."""
    return json.dumps({"claims": "known", "tasks": tasks})
