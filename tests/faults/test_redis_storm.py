"""The storm on a Redis server, which is killed and restarted as well."""

import sys
from pathlib import Path

import pytest

from tests.faults.test_storm import TASKS, Storm, survive
from tests.servers import RedisServer, needs_redis

pytestmark = [needs_redis, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

FILE = "sqlite:///project.db"


class RedisStorm(Storm):
    """A storm that sometimes kills the server."""

    def __init__(self, folder: Path, seed: int, server: RedisServer) -> None:
        super().__init__(folder, seed, TASKS.replace(FILE, server.url))
        self.server = server
        self.killed["server"] = 0

    def strike(self) -> None:
        if self.random.random() > 0.15:
            super().strike()
            return
        self.server.kill()
        self.server.start()
        self.killed["server"] += 1
        for sender in [each for each in self.senders if each.process.poll() is not None]:
            self.senders.remove(sender)  # it got an error because the server was away, and exited
            sender.kill()
            self.start_sender()


def test_nothing_acknowledged_is_lost_in_a_short_storm(tmp_path: Path, server: RedisServer) -> None:
    survive(RedisStorm(tmp_path, 1, server), 5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_nothing_acknowledged_is_lost_in_a_long_storm(
    tmp_path: Path, seed: int, server: RedisServer
) -> None:
    survive(RedisStorm(tmp_path, seed, server), 60)
