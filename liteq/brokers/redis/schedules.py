"""Entries of periodic tasks: arguments and replies of their scripts."""

import json
from collections.abc import Iterable
from typing import Any

from ...exceptions import SecurityError
from ...model.checks import UNREADABLE, check_entry
from ...model.entry import Entry, Firing
from ..stored import StoredSchedules
from ..transfer import unreadable
from .arguments import Arguments, message_args, or_empty
from .packing import pack_message, unpack_message
from .replies import fields_of, moment, text_of
from .signing import Signing

_SIZE_OF_REST = 8  # values, see `_pack_rest`


def entry_args(entry: Entry, signing: Signing) -> Arguments:
    """Return an entry. Read by schedule.lua."""
    rest = _pack_rest(entry)
    message = signing.sign_scheduled(entry.message, entry.name, rest, entry.overlap)
    args: Arguments = [entry.name, entry.version, rest, pack_message(message), int(entry.overlap)]
    return args + _progress_args(entry)


def firing_args(firing: Firing, signing: Signing) -> Arguments:
    """Return a firing. Read by fire.lua."""
    entry, message = firing
    args: Arguments = [entry.name, entry.version, *_progress_args(entry)]
    if message is None:
        return [*args, 0]
    return [*args, 1, message.task, *message_args(signing.sign_message(message))]


def entries_of(replies: Iterable[list[Any]], signing: Signing) -> StoredSchedules:
    """Return the entries, by name, from schedules.lua."""
    entries, left = [], {}
    for reply in replies:
        fields = fields_of(reply)
        try:
            entry = _entry_of(fields, signing)
            check_entry(entry)
            entries.append(entry)
        except SecurityError as exc:
            left[text_of(fields[b"name"])] = str(exc)
        except UNREADABLE as exc:
            left[text_of(fields[b"name"])] = unreadable(exc)
    return StoredSchedules(sorted(entries, key=lambda entry: entry.name), left)


def _entry_of(fields: dict[bytes, bytes], signing: Signing) -> Entry:
    rest = json.loads(fields[b"entry"])[:_SIZE_OF_REST]  # a newer version may have more
    schedule, app, paused, misfire, grace, jitter, expires, *undeclared = rest
    name, text, overlap = fields[b"name"].decode(), fields[b"entry"].decode(), fields[b"overlap"]
    stored = unpack_message("", fields[b"message"])
    message = signing.verify_scheduled(stored, name, text, overlap == b"1")
    return Entry(
        name=name,
        schedule=schedule,
        message=message,
        moment=moment(fields[b"moment"]),
        due=moment(fields[b"due"]),
        planned=float(fields[b"planned"]),
        version=int(fields[b"version"]),
        app=app,
        paused=paused,
        runs=int(fields[b"runs"]),
        last=moment(fields[b"last"]),
        last_id=fields[b"last_id"].decode() or None,
        misfire=misfire,
        grace=grace,
        overlap=overlap == b"1",
        jitter=jitter,
        expires=expires,
        undeclared=bool(undeclared and undeclared[0]),  # earlier versions do not say
    )


def _pack_rest(entry: Entry) -> str:
    """Return what no script reads, in the order in which `entries_of` takes it apart.

    This text is signed as it is.
    """
    rest = (entry.app, entry.paused, entry.misfire, entry.grace, entry.jitter, entry.expires)
    return json.dumps((entry.schedule, *rest, entry.undeclared))


def _progress_args(entry: Entry) -> Arguments:
    """Return when an entry runs next and when it last ran. Read by scripts/entries.lua."""
    next_run = (or_empty(entry.moment), or_empty(entry.due), entry.planned)
    return [*next_run, entry.runs, or_empty(entry.last), entry.last_id or ""]
