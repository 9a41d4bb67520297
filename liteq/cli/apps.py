"""The application and the store that a command is about."""

from argparse import Namespace

from ..app import LiteQ, django
from ..app.loader import find_app
from ..brokers import chosen_url
from ..support.urls import has_secrets
from .output import complain


def app_of(args: Namespace) -> LiteQ:
    """Return the application of `-A` on the store of `-b`; without `-A`, one without tasks.

    Raises AppNotFound when `-A` leads to none.
    """
    if args.broker and has_secrets(args.broker):
        complain(
            "any user who can list the processes of this machine can read the password in --broker:"
            " give the URL in the settings, or as LITEQ_BROKER_URL"
        )
    if not args.app:
        return LiteQ(broker=chosen_url(args.broker), set_as_current=False)
    app = find_app(args.app, args.workdir)
    if args.config:
        app.config_from_object(args.config)
    if args.result_backend:
        app.conf.update(result_backend=args.result_backend)
    django.set_up()
    if args.broker:
        app.conf.update(broker_url=args.broker, result_backend=None)  # results are stored there too
    return app
