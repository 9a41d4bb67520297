"""`liteq stats`: show how tasks fared lately."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable

from ..model.summary import BY, Durations, Summary
from .apps import app_that_exists
from .exits import OK
from .options import add_json, add_limit, span
from .output import moment, show, table
from .views import View

_COLUMNS = ("ENDED", "SUCCEEDED", "FAILED", "OTHER", "RUN p50", "p95", "WAITED p50", "p95")


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--last", type=span, default=3600.0, metavar="TIME", help="30m, 2h or 7d (default: 1h)")
    add("--by", choices=BY, default="task", help="what to sum up by (default: task)")
    add_json(parser)
    add_limit(parser, 50, "tasks or queues to list")


def run(args: Namespace) -> int:
    """Print the statistics; return OK."""
    app = app_that_exists(args)
    found = app.jobs.stats(args.last / 60, args.by)
    shown = found[: args.limit]
    document = {
        "store": app.broker.url,
        "seconds": args.last,
        "stats": [_view(each) for each in shown],
        "more": len(found) > len(shown),
    }
    rows = [(args.by.upper(), *_COLUMNS), *map(_row, shown)]
    lines: Iterable[str] = table(rows) if shown else ["nothing has ended in this time"]
    show(document, lines, as_json=args.json)
    return OK


def _row(summary: Summary) -> tuple[object, ...]:
    succeeded = summary.ended.get("succeeded", 0)
    other = summary.number - succeeded - summary.failed
    times = (*_quantiles(summary.ran), *_quantiles(summary.waited))
    return (summary.name, summary.number, succeeded, summary.failed, other, *times)


def _quantiles(durations: Durations) -> tuple[str | None, str | None]:
    return _seconds(durations.p50), _seconds(durations.p95)


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g} s"


def _view(summary: Summary) -> View:
    return {
        "name": summary.name,
        "number": summary.number,
        "ended": dict(summary.ended),
        "ran": _durations_view(summary.ran),
        "waited": _durations_view(summary.waited),
        "periods": [
            {"start": moment(start), "seconds": seconds, "ended": dict(ended)}
            for start, seconds, ended in summary.periods
        ],
    }


def _durations_view(durations: Durations) -> View:
    return {"mean": durations.mean, "p50": durations.p50, "p95": durations.p95}
