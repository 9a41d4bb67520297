"""Tasks that are moved from this store to another one, or to this one."""

from collections.abc import Sequence

from ...model.graph import Group
from ...model.message import Attempt
from ..transfer import MovedGroup, Transfer, TransferBatch
from .arguments import Arguments, field_args, group_args, or_empty
from .packing import pack_message
from .replies import attempts_of, fields_of, moment, stored_of
from .signing import Signing, end_of


def transfer_of(
    id: str, reply: list[bytes], attempts: Sequence[Attempt], signing: Signing
) -> Transfer:
    """Return a task with all that is known of it, from fetch.lua or workflows.lua."""
    stored = stored_of(id, reply)
    assert stored is not None
    return Transfer(signing.verify_record(*stored), stored.place, list(attempts))


def workflows_of(
    tasks: Sequence[tuple[bytes, list[bytes], list[bytes]]],
    groups: Sequence[tuple[bytes, list[bytes]]],
    signing: Signing,
) -> TransferBatch:
    """Return all that belongs to workflows, from workflows.lua."""
    transfers = [
        transfer_of(id.decode(), reply, attempts_of(attempts), signing)
        for id, reply, attempts in tasks
    ]
    return TransferBatch(transfers, [_moved_group_of(id, reply) for id, reply in groups])


def batch_args(batch: TransferBatch, signing: Signing) -> Arguments:
    """Return tasks and groups of another store. Read by unpack.lua."""
    args: Arguments = [len(batch.transfers)]
    for transfer in batch.transfers:
        args += _transfer_args(transfer, signing)
    args.append(len(batch.groups))
    for moved in batch.groups:
        args += _moved_group_args(moved)
    return args


def discard_args(batch: TransferBatch) -> Arguments:
    """Return the ids in `batch`. Read by discard.lua."""
    ids = [transfer.record.message.id for transfer in batch.transfers]
    return [len(ids), *ids, *(moved.group.id for moved in batch.groups)]


def _transfer_args(transfer: Transfer, signing: Signing) -> Arguments:
    record, place, attempts = transfer
    message = signing.sign_message(record.message, place)
    in_group = place.group is not None
    tied = place.followed or place.barrier or in_group
    result = signing.sign_result(record.result, end_of(record), tied=tied)
    fields = field_args(
        queue=message.queue,
        message=pack_message(message),
        priority=message.priority or None,
        eta=message.eta,
        once=None if message.acks_late else 1,
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
        waits=place.waits,
        barrier=place.barrier or None,
        on_failure=place.on_failure or None,
        takes=place.takes or None,
        delay=place.delay,
        tied=tied or None,
        group=place.group,
        position=place.position if in_group else None,
    )
    args: Arguments = [message.id, int(record.phase), len(fields), *fields]
    args += (record.worker or "", len(attempts))
    for attempt in attempts:
        args += _attempt_args(attempt)
    return args


def _attempt_args(attempt: Attempt) -> Arguments:
    times = (or_empty(attempt.started), or_empty(attempt.ended))
    return [*times, attempt.worker or "", attempt.outcome, attempt.error or ""]


def _moved_group_args(moved: MovedGroup) -> Arguments:
    outcome = (or_empty(moved.closed), moved.blame or "", int(moved.released))
    return [*group_args(moved.group), *outcome]


def _moved_group_of(id: bytes, reply: list[bytes]) -> MovedGroup:
    fields = fields_of(reply)
    group = Group(
        id=id.decode(),
        outer=fields[b"outer"].decode() or None,
        position=int(fields[b"position"]),
        forgiving=fields[b"forgiving"] == b"1",
    )
    blame = fields.get(b"blame")
    return MovedGroup(
        group,
        closed=moment(fields.get(b"closed")),
        blame=None if blame is None else blame.decode(),
        released=b"released" in fields,
    )
