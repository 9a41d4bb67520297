"""`liteq web`: serve the dashboard."""

import os
from argparse import ArgumentParser, Namespace

from .apps import app_that_exists
from .exits import CONFIG, OK
from .output import complain, say

_PASSWORD = "LITEQ_WEB_PASSWORD"  # noqa: S105 - the name of a variable


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)")
    add("--port", type=int, default=5555, help="port to listen at; 0: any (default: 5555)")
    add("--read-only", action="store_true", help="show everything, and let nobody change anything")
    add("--name", action="append", default=[], metavar="HOST", help="further name that it has")


def run(args: Namespace) -> int:
    """Serve until interrupted; return the exit code."""
    from ..web.dashboard import Dashboard
    from ..web.login import Login
    from ..web.server import Server, hosts_of, is_loopback

    app = app_that_exists(args)
    password = os.environ.get(_PASSWORD) or None
    if not is_loopback(args.host) and password is None:
        complain(
            f"{args.host} can be reached from elsewhere: set {_PASSWORD}, which visitors are asked "
            "for, or leave out --host. Over a network put a server before it that speaks https"
        )
        return CONFIG
    login = Login("read" if args.read_only else "all", password)
    hosts: set[str] = set()
    dashboard = Dashboard(app, hosts=hosts)
    host = f"[{args.host}]" if ":" in args.host else args.host

    def tell() -> None:
        say(f"open http://{host}:{server.server_port}/?key={login.key}")

    with Server((args.host, args.port), dashboard, login, tell) as server:
        hosts |= hosts_of(host, server.server_port)
        hosts.update(args.name)
        say(f"dashboard of {app.broker.url}; each link works once, Ctrl-C ends it")
        tell()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            dashboard.close()
    return OK
