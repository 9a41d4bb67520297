"""Ids that were given to tasks before: by `task_id`, or because a signature was frozen.

There may be a task of such an id in the store already. Tasks that wait for an end which was before
they came would wait for ever.
"""

from collections.abc import Collection, Sequence

from ..result.app import App
from .signature import Signature


def taken(app: App, ids: Sequence[str]) -> Collection[str]:
    """Return those of `ids` that cannot be used again, as their tasks have not finished or others
    need their results. Tasks that have finished are deleted, for others to take their place.
    """
    known = known_ids(app, ids)
    if not known:
        return ()
    app.broker.forget(known)
    return set(known_ids(app, known))


def free_ids(app: App, call: Signature) -> None:
    """Take from the tasks and groups in `call` the ids under which it cannot be sent.

    It is to be frozen afterwards, which gives new ids to what was sent before: the results of
    that run stay. A call that was never frozen costs nothing.
    """
    given = [holder for holder in call.holders() if holder.id is not None and not holder.was_sent]
    if not given:
        return
    known = set(known_ids(app, [holder.id for holder in given if holder.id]))
    if not known:
        return
    in_use = taken(app, list(known))
    for holder in given:
        # A group is not in the store by its id alone. It is new if a task of it is.
        again = known & {leaf.id for leaf in holder.leaves()}
        if holder.id in in_use or (again and holder.id not in known):
            del holder.options["task_id"]


def known_ids(app: App, ids: Sequence[str]) -> list[str]:
    """Return those of `ids` of which the store has a task."""
    records = app.broker.fetch(ids) if ids else ()
    return [id for id, record in zip(ids, records, strict=True) if record is not None]
