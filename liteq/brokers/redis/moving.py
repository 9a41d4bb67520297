"""Tasks that are moved from this store to another one, or to this one."""

from collections.abc import Iterable
from contextlib import suppress

from ...exceptions import InvalidTaskError, SecurityError
from ...model.checks import UNREADABLE
from ...model.graph import Group, Place
from ...model.message import Attempt
from ..transfer import (
    KEEP_ARRIVALS,
    Arrival,
    Left,
    MovedGroup,
    Transfer,
    TransferBatch,
    unreadable,
)
from .arguments import Arguments, field_args, group_args, or_empty, place_fields, step_args
from .output import output_args, outputs_of
from .packing import pack_message
from .replies import attempts_of, fields_of, moment, read_text, stored_of, text_of
from .signing import Signing, end_of
from .steps import steps_of


def transfer_of(
    id: str,
    reply: list[bytes],
    attempts: list[bytes],
    steps: list[bytes],
    outputs: list[bytes],
    signing: Signing,
) -> Transfer | Left:
    """Return a task with all that is known of it, from fetch.lua, attempts.lua and steps.lua."""
    try:
        stored = stored_of(id, reply)
        if stored.record.phase != int(fields_of(reply)[b"phase"]):
            raise InvalidTaskError("its phase is that of another version")
        record = signing.verify_record(*stored)
        found = [signing.verify_step(id, step) for step in steps_of(steps)]
        printed = outputs_of(id, outputs, signing)
        return Transfer(record, stored.place, attempts_of(attempts), found, printed).checked()
    except SecurityError as exc:
        return Left(id, str(exc), _place_in(reply))
    except UNREADABLE as exc:
        return Left(id, unreadable(exc), _place_in(reply))


def batch_args(batch: TransferBatch, signing: Signing) -> Arguments:
    """Return tasks and groups of another store. Read by unpack.lua."""
    batch = as_stored(batch, signing)
    args: Arguments = [int(KEEP_ARRIVALS), len(batch.transfers)]
    for transfer in batch.transfers:
        args += transfer_args(transfer, signing)
    args.append(len(batch.groups))
    for moved in batch.groups:
        args += moved_group_args(moved)
    return args + arrivals_args(batch.arrivals)


def as_stored(batch: TransferBatch, signing: Signing) -> TransferBatch:
    """Return a batch with options where this store keeps them."""
    return batch if signing.shares_options else batch.with_own_options()


def arrivals_args(arrivals: Iterable[Arrival]) -> Arguments:
    """Return arrivals. Read by unpack.lua, discard.lua and confirm.lua."""
    args: Arguments = []
    for id, created in arrivals:
        args += (id, or_empty(created))
    return args


def arrivals_of(fields: Iterable[bytes]) -> list[Arrival]:
    """Return arrivals, from the fields of the hash `arrived`; none for what liteq did not write."""
    found = []
    for field in fields:
        with suppress(*UNREADABLE):
            id, _, created = field.decode().rpartition("\n")
            found.append(Arrival(id, float(created) if created else None).checked())
    return found


def transfer_args(transfer: Transfer, signing: Signing) -> Arguments:
    """Return a task of another store. Read by scripts/moving.lua."""
    record, place, attempts, steps, outputs = transfer
    message = signing.sign_message(record.message, place)
    result = signing.sign_result(record.result, end_of(record), tied=place.tied)
    fields = field_args(
        queue=message.queue,
        message=pack_message(message),
        priority=message.priority or None,
        eta=message.eta,
        created=record.created,
        started=record.started,
        finished=record.finished,
        keep=record.keep_until,
        lost=record.lost or None,
        attempts=len(attempts) or None,
        result=result,
        serializer=record.result_serializer,
        traceback=record.traceback,
        reported=record.reported,
        woken_by=record.woken_by,
    )
    fields += place_fields(place)
    args: Arguments = [message.id, int(record.phase), len(fields), *fields]
    args += (record.worker or "", len(attempts))
    for attempt in attempts:
        args += _attempt_args(attempt)
    args += step_args([signing.sign_step(message.id, step) for step in steps])
    args.append(record.event or "")
    args.append(len(outputs))
    for output in outputs:
        args += output_args(message.id, output, signing)
    return args


def moved_group_args(moved: MovedGroup) -> Arguments:
    """Return a group of another store. Read by scripts/moving.lua."""
    outcome = (or_empty(moved.closed), moved.blame or "", int(moved.released))
    return [*group_args(moved.group), *outcome]


def moved_group_of(id: str, reply: list[bytes] | None) -> MovedGroup | None:
    """Return a group with its state, from groups.lua; None for one that cannot be read."""
    if reply is None:
        return None
    fields = fields_of(reply)
    try:
        group = Group(
            id=id,
            outer=fields[b"outer"].decode() or None,
            position=int(fields[b"position"]),
            forgiving=fields[b"forgiving"] == b"1",
            options=read_text(fields.get(b"options")),
        )
        moved = MovedGroup(
            group,
            closed=moment(fields.get(b"closed")),
            blame=read_text(fields.get(b"blame")),
            released=b"released" in fields,
        )
        return moved.checked()
    except UNREADABLE:
        return None


def _place_in(reply: list[bytes]) -> Place:
    """Return what a task that cannot be read says of its place in a workflow."""
    fields = fields_of(reply)
    waits, group = fields.get(b"waits"), fields.get(b"group")
    return Place(
        waits=None if waits is None else text_of(waits),
        barrier=b"barrier" in fields,
        group=None if group is None else text_of(group),
        followed=b"tied" in fields,
    )


def _attempt_args(attempt: Attempt) -> Arguments:
    times = (or_empty(attempt.started), or_empty(attempt.ended))
    return [*times, attempt.worker or "", attempt.outcome, attempt.error or ""]
