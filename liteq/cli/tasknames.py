"""Names of tasks that are given to commands."""

from argparse import Namespace

from ..app import LiteQ
from .output import complain


def warn_of_unknown(app: LiteQ, args: Namespace, name: str) -> bool:
    """Return whether `app` has no task of that name; if the tasks are known, by `-A`, say so."""
    if name in app.tasks:
        return False
    if args.app:
        complain(f"warning: {app.tasks.unknown(name)}; it is sent by name all the same")
    return True
