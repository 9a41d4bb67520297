"""`liteq result`: show the result of a task."""

from argparse import ArgumentParser, Namespace

from .apps import app_that_exists
from .task_result import add_options, show_result


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("id", metavar="ID", help="the task, as `call` or `delay()` named it")
    parser.add_argument("--traceback", action="store_true", help="show the traceback as well")
    add_options(parser)


def run(args: Namespace) -> int:
    """Print the result; return FAILED when the task failed or is not known."""
    return show_result(app_that_exists(args), args.id, args, traceback=args.traceback)
