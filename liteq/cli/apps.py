"""Which application and which store a command is about."""

from argparse import Namespace

from ..app import LiteQ
from ..loader import find_app


def app_of(args: Namespace) -> LiteQ:
    """The application of `-A` on the store of `-b`; without `-A` one that knows no task.

    Raises AppNotFound.
    """
    if not args.app:
        return LiteQ(broker=args.broker, set_as_current=False)
    app = find_app(args.app, args.workdir)
    if args.broker:
        app.conf.update(broker_url=args.broker, result_backend=None)  # results are kept there too
    return app
