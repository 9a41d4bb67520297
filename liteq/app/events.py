"""Events: what tasks wait for, and programs emit."""

from typing import Any

from ..exceptions import SerializationError
from ..model.message import new_id
from ..model.step import Event
from ..result.app import App
from ..sending.formats import result_serializer, too_large
from ..sending.options import check_name


def emit(app: App, key: str, value: Any) -> bool:
    """Emit an event; return whether it was the first of its key. See `LiteQ.emit`."""
    key = check_name("key of an event", key)
    conf, broker = app.conf, app.broker
    serializer = result_serializer(conf, broker)
    try:
        data = serializer.dumps(value)
    except SerializationError as exc:
        raise SerializationError(f"the value of the event {key!r}: {exc}") from None
    if len(data) > conf.max_payload_size:
        what = f"the value of the event {key!r} is"
        raise too_large(what, data, conf.max_payload_size, send="emit")
    now = broker.clock()
    keep_until = now + conf.event_expires if conf.event_expires else None
    return broker.emit(Event(key, data, serializer.name, now, keep_until, new_id()))
