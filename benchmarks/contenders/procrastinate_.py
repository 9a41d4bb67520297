"""Procrastinate on Postgres.

It keeps no results ("the return value is only logged"), so it is measured where none is needed.
"""

import os
from collections.abc import Iterator

from .base import BIN, Coroutines


class Procrastinate(Coroutines):
    queue = "procrastinate"
    on_postgres = True
    keeps_results = False
    imports = "from procrastinate import App"

    def __init__(self) -> None:
        super().__init__()
        import psycopg
        from procrastinate_project import add, app

        self.add, self.app = add, app
        self.server = psycopg.connect(os.environ["BENCH_POSTGRES"], autocommit=True)
        self.server.execute("DROP SCHEMA public CASCADE")
        self.server.execute("CREATE SCHEMA public")
        app.open()
        app.schema_manager.apply_schema()

    def worker_command(self, processes: int) -> list[str]:
        # One process has one loop. More of them are more workers, which a user starts one by one.
        command = [str(BIN / "procrastinate"), "--app=procrastinate_asyncio_project.app", "worker"]
        return [*command, f"--concurrency={self.slots * processes}"]

    def enqueue_each(self, count: int) -> None:
        start, keep = len(self.sent), self.sent.append
        for i in range(start, start + count):
            keep(self.add.defer(x=i, y=1))

    def enqueue_bulk(self, count: int) -> None:
        numbers = range(len(self.sent), len(self.sent) + count)
        self.sent += self.add.batch_defer(*({"x": i, "y": 1} for i in numbers))

    def waiting(self) -> int:
        return self._count("todo")

    def finished(self) -> int:
        return self._count("succeeded")

    def send_naps(self, count: int) -> None:
        self.app.configure_task("nap").batch_defer(*({} for _ in range(count)))

    def napped(self) -> int:
        return self._count("succeeded")

    def _count(self, status: str) -> int:
        count = "SELECT count(*) FROM procrastinate_jobs WHERE status = %s"
        (found,) = self.server.execute(count, [status]).fetchone() or (0,)
        return int(found)

    def results(self, first: int = 0) -> Iterator[int]:
        raise NotImplementedError("it keeps no results")

    def add_and_get(self, x: int, y: int) -> int:
        raise NotImplementedError("it keeps no results")
