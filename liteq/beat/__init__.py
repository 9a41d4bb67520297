"""Periodic tasks.

`periodic` makes entries of what the code declares, `timetable` changes them at run time, `firing`
decides what an entry does at a given time, `scheduler` carries that out on the store. Every worker
has a scheduler; `service` is one without a worker.
"""

from .service import Beat

__all__ = ["Beat"]
