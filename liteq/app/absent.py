"""Name what Celery's applications and their tools have and liteq's do not, each with the reason."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

_NO_BROKER = "there are no connections and messages of a broker: liteq keeps tasks in its own store"
_WORKER = "the worker cannot be assembled from other parts; app.Worker(...) starts one"
_CLASS = "liteq's own class is used; a subclass of LiteQ may override what makes the object"
_EVENTS = "there are no event messages; `liteq status`, `inspect` and `graph` read the store"

OF_APP: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "amqp",
            "broker_connection",
            "connection",
            "connection_for_read",
            "connection_for_write",
            "connection_or_acquire",
            "default_connection",
            "default_producer",
            "pool",
            "producer_or_acquire",
            "producer_pool",
        ),
        _NO_BROKER,
    ),
    **dict.fromkeys(
        ("amqp_cls", "backend_cls", "control_cls", "loader_cls", "log_cls", "registry_cls"), _CLASS
    ),
    **dict.fromkeys(("events", "events_cls"), _EVENTS),
    **dict.fromkeys(("WorkController", "steps"), _WORKER),
    "Beat": "every worker fires periodic tasks; `liteq beat` does nothing else",
    "add_defaults": "give the settings to config_from_object, or to app.conf.update",
    "fixups": "liteq sets Django up by itself, when DJANGO_SETTINGS_MODULE is set",
    "loader": "config_from_object and include say what is loaded; app.load_tasks() loads it",
    "log": (
        "the settings worker_log_format and worker_task_log_format set the lines; the signals "
        "setup_logging and after_setup_logger are sent"
    ),
    "select_queues": "name the queues where the worker starts: app.Worker(queues=...), or -Q",
    "setup_security": "the setting secret_key signs what is stored on a server",
    "user_options": "commands take no options of a program; read an environment variable",
}

OF_CONTROL: Mapping[str, str] = {
    **dict.fromkeys(("disable_events", "enable_events"), _EVENTS),
    "election": "workers do not talk to each other",
    "mailbox": _NO_BROKER,
}

OF_INSPECT: Mapping[str, str] = {
    "hello": "workers do not talk to each other",
    **dict.fromkeys(
        ("memdump", "memsample", "objgraph"),
        "use tracemalloc or objgraph in a task; `liteq inspect stats` shows the processes",
    ),
}


class Incomplete:
    """A class that tells of the names in `absent` why it does not have them."""

    absent: ClassVar[Mapping[str, str]]

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            why = self.absent.get(name)
            if why is None:
                return object.__getattribute__(self, name)  # raises what a property has raised
            kind = type(self).__name__
            raise AttributeError(f"{kind} has no {name!r}: {why}", name=name, obj=self)
