"""Who is measured. To add a contender: a file here, what a user would write in `projects/`, what
pip is to install in `requirements/`, and its line in `CONTENDERS`."""

from importlib import import_module

from .base import Contender

CONTENDERS = {
    "liteq-safe": "liteq_:LiteqSafe",
    "liteq-fast": "liteq_:LiteqFast",
    "liteq-redis": "liteq_redis:LiteqRedis",
    "liteq-asyncio": "liteq_asyncio:LiteqAsyncio",
    "liteq-asyncio-redis": "liteq_asyncio:LiteqAsyncioRedis",
    "celery-redis": "celery_:Celery",
    "dramatiq-redis": "dramatiq_:Dramatiq",
    "dramatiq-asyncio": "dramatiq_:DramatiqAsyncio",
    "huey-redis": "huey_:HueyRedis",
    "huey-sqlite": "huey_:HueySqlite",
    "huey-sqlite-off": "huey_:HueySqliteOff",
    "potatoq-redis": "potatoq_:PotatoqRedis",
    "potatoq-sqlite": "potatoq_:PotatoqSqlite",
    "rq-redis": "rq_:RQ",
    "saq-redis": "saq_:SAQ",
    "taskiq-redis": "taskiq_:Taskiq",
    "procrastinate": "procrastinate_:Procrastinate",
}
EVERY_RIVAL = tuple(name for name in CONTENDERS if not name.startswith("liteq"))
# Those that run coroutines, in the rows about them.
OF_COROUTINES = ("dramatiq-asyncio", "procrastinate", "saq-redis", "taskiq-redis")
RIVALS = tuple(name for name in EVERY_RIVAL if name != "dramatiq-asyncio")  # only there
# Only what sends is measured of these; the README says why.
SENDING_ONLY = ("procrastinate", "saq-redis")
KEEPING_RESULTS = tuple(name for name in RIVALS if name not in SENDING_ONLY)
ON_REDIS = tuple(name for name in KEEPING_RESULTS if name.endswith("-redis"))


def contender(name: str) -> type[Contender]:
    """Return the class of contender `name`; importing it imports no queue yet."""
    module, _, attribute = CONTENDERS[name].partition(":")
    cls: type[Contender] = getattr(import_module(f".{module}", __name__), attribute)
    return cls
