"""liteq's pool `asyncio`: the same stores, and tasks that are coroutines."""

from .base import BIN, Coroutines
from .liteq_ import Liteq, LiteqSafe
from .liteq_redis import LiteqRedis
from .loop import Loop


class _InLoops(Loop, Liteq, Coroutines):
    def begin(self, url: str) -> None:
        super().begin(url)
        from liteq_project import async_add, nap

        self.add, self.nap = async_add, nap

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "python"), "-m", "liteq", "worker", "-A", "liteq_project"),
            *("-P", "asyncio", "-c", str(self.slots), "--processes", str(processes)),
            *("-l", self.loglevel),
        ]

    def send_naps(self, count: int) -> None:
        self.nap.delay_many([()] * count)
        self.naps += count

    def napped(self) -> int:
        return self.naps - self.left()

    def left(self) -> int:
        raise NotImplementedError

    def await_trips(self, count: int) -> list[float]:
        async def trip(i: int) -> int:
            return int(await (await self.add.adelay(i, 1)))

        return self.trips(trip, count)


class LiteqAsyncio(_InLoops, LiteqSafe):
    """On its file, at the default durability."""

    def left(self) -> int:
        return LiteqSafe.left(self)


class LiteqAsyncioRedis(_InLoops, LiteqRedis):
    """On Redis."""

    def left(self) -> int:
        return self._count("READY", "RUNNING")
