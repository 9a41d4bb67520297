"""Durable steps and events, as they are read.

A hash has the steps of a task: of each the fields `<name>\\n<field>`. An event is a hash.
"""

from contextlib import suppress

from ...exceptions import InvalidTaskError, SecurityError
from ...model.checks import UNREADABLE, check_event, check_step
from ...model.step import Event, Step
from .replies import fields_of, moment, read_text
from .server import Server
from .signing import Signing


def read_steps(server: Server, prefix: str, id: str, signing: Signing) -> list[Step]:
    """Return the steps of the task `id`, oldest first.

    Raises InvalidTaskError for what liteq did not write, SecurityError for what is not genuine.
    """
    try:
        steps = steps_of(server.execute("HGETALL", f"{prefix}:steps:{id}"))
    except UNREADABLE as exc:
        raise InvalidTaskError(f"the steps of the task {id} cannot be read: {exc}") from exc
    verified = [signing.verify_step(id, step) for step in steps]
    return sorted(verified, key=lambda step: (step.at, step.name))


def read_event(server: Server, prefix: str, key: str, signing: Signing, now: float) -> Event | None:
    """Return the event `key`; None if there is none, or it is too old.

    Raises InvalidTaskError for what liteq did not write, SecurityError for what is not genuine.
    """
    reply = server.execute("HGETALL", f"{prefix}:event:{key}")
    if not reply:
        return None
    try:
        event = _event_of(key, reply if isinstance(reply, dict) else fields_of(reply))
    except UNREADABLE as exc:
        raise InvalidTaskError(f"the event {key!r} cannot be read: {exc}") from exc
    return signing.verify_event(event) if event.is_kept(now) else None


def _event_of(name: str, fields: dict[bytes, bytes]) -> Event:
    event = Event(
        key=name,
        value=fields[b"value"],
        serializer=fields[b"serializer"].decode(),
        at=float(fields[b"at"]),
        keep_until=moment(fields.get(b"keep")),
        id=fields[b"id"].decode(),
    )
    check_event(event)
    return event


def read_events(server: Server, prefix: str, signing: Signing, now: float) -> list[Event]:
    """Return the events that count still, but for those that cannot be read, or are not genuine."""
    found = []
    for name in server.execute("ZRANGE", f"{prefix}:events", 0, -1):
        with suppress(InvalidTaskError, SecurityError, UnicodeDecodeError):
            found.append(read_event(server, prefix, name.decode(), signing, now))
    return [event for event in found if event is not None]


def steps_of(reply: list[bytes] | dict[bytes, bytes]) -> list[Step]:
    """Return steps, of the fields of their hash. Raises one of UNREADABLE."""
    by_name: dict[str, dict[str, bytes]] = {}
    for key, value in (reply if isinstance(reply, dict) else fields_of(reply)).items():
        name, _, field = key.decode().rpartition("\n")
        by_name.setdefault(name, {})[field] = value
    return [_step_of(name, fields) for name, fields in by_name.items()]


def _step_of(name: str, fields: dict[str, bytes]) -> Step:
    step = Step(
        name=name,
        kind=fields["kind"].decode(),
        at=float(fields["at"]),
        until=moment(fields.get("until")),
        value=fields.get("value"),
        serializer=read_text(fields.get("serializer")),
        failed="failed" in fields,
    )
    check_step(step)
    return step
