"""The application and the store that a command is about."""

from argparse import Namespace

from ..app import LiteQ, django
from ..app.loader import find_app
from ..brokers import chosen_url
from ..exceptions import BrokerUnavailable, ImproperlyConfigured
from ..support.urls import has_secrets
from .output import complain


def app_that_exists(args: Namespace) -> LiteQ:
    """Return the application of `-A` on the store of `-b`, for a command that only looks.

    Raises BrokerUnavailable when there is no such store: to look must not make one.
    """
    app = app_of(args)
    app.broker.check_exists()
    return app


def store_exists(app: LiteQ) -> bool:
    """Return whether the application has a store already."""
    try:
        app.broker.check_exists()
    except BrokerUnavailable:
        return False
    return True


def app_of(args: Namespace) -> LiteQ:
    """Return the application of `-A` on the store of `-b`; without `-A`, one without tasks.

    Raises AppNotFound when `-A` leads to none, ImproperlyConfigured when it has a store that `-b`
    cannot replace.
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
        if why := app.conf.outranked("broker_url", args.broker):
            raise ImproperlyConfigured(f"--broker cannot replace the store of -A {args.app}: {why}")
        app.conf.update(broker_url=args.broker, result_backend=None)  # results are stored there too
    return app
