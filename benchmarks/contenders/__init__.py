"""Who is measured. To add a contender: a file here, what a user would write in `projects/`,
and its line in `CONTENDERS`."""

from importlib import import_module

from .base import Contender

CONTENDERS = {
    "liteq-safe": "liteq_:LiteqSafe",
    "liteq-fast": "liteq_:LiteqFast",
    "liteq-redis": "liteq_redis:LiteqRedis",
    "celery-redis": "celery_:Celery",
    "dramatiq-redis": "dramatiq_:Dramatiq",
    "huey-redis": "huey_:HueyRedis",
    "huey-sqlite": "huey_:HueySqlite",
    "huey-sqlite-off": "huey_:HueySqliteOff",
    "potatoq-redis": "potatoq_:PotatoqRedis",
    "potatoq-sqlite": "potatoq_:PotatoqSqlite",
    "rq-redis": "rq_:RQ",
}
RIVALS = tuple(name for name in CONTENDERS if not name.startswith("liteq"))
ON_REDIS = tuple(name for name in RIVALS if name.endswith("-redis"))


def contender(name: str) -> type[Contender]:
    """Return the class of contender `name`; importing it imports no queue yet."""
    module, _, attribute = CONTENDERS[name].partition(":")
    cls: type[Contender] = getattr(import_module(f".{module}", __name__), attribute)
    return cls
