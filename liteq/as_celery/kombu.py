"""Queues as programs write them for kombu, of which liteq takes the names."""

from typing import Any

from ..support.warning import warn

__all__ = ["Exchange", "Queue", "binding"]

_ROUTING = ("topic", "fanout", "headers")  # types of exchanges that choose among queues


class Exchange:
    """An exchange, for the declarations of queues. liteq has none: a task goes to its queue.

    `type`: one that distributes tasks (topic, fanout, headers) brings a warning. Other keywords are
    kept as attributes, and mean nothing.
    """

    def __init__(
        self, name: str = "", type: str = "", channel: object = None, **options: Any
    ) -> None:
        self.name = name
        self.type: str = type or "direct"
        vars(self).update(options)
        if self.type in _ROUTING:
            warn(
                f"exchange {name!r} of the type {type!r}: liteq has queues only, so name the queue "
                "in task_routes, or in apply_async(queue=...)",
            )

    def __repr__(self) -> str:
        return f"<Exchange {self.name}({self.type})>"

    def __str__(self) -> str:
        return self.name


class Queue:
    """A queue, for `task_queues`: its `name` is what liteq uses.

    `exchange`, `routing_key` and other keywords are kept as attributes, and mean nothing: a route
    that names the queue does.
    """

    def __init__(
        self,
        name: str = "",
        exchange: Exchange | str | None = None,
        routing_key: str = "",
        **options: Any,
    ) -> None:
        self.name = name
        self.exchange: Exchange = (
            exchange if isinstance(exchange, Exchange) else Exchange(exchange or "")
        )
        self.routing_key = routing_key
        vars(self).update(options)

    def __repr__(self) -> str:
        return f"<Queue {self.name}>"


class binding:  # noqa: N801 - kombu's name
    """A binding of a queue to an exchange, which means nothing here."""

    def __init__(
        self, exchange: Exchange | str | None = None, routing_key: str = "", **options: Any
    ) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        vars(self).update(options)
