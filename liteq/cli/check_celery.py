"""`liteq check-celery`: tell what of a project that was written for Celery works with liteq."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..as_celery.migration import Finding, State, check, files_below
from .celery_lines import judge
from .exits import FAILED, OK, USAGE
from .options import add_json, add_limit
from .output import complain, show


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("path", metavar="PATH", type=Path, help="a folder, or one file")
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave out paths below PATH such as 'docs' or '*/migrations/*'; may be repeated",
    )
    add_json(parser)
    add_limit(parser, 200, "uses to show")


def run(args: Namespace) -> int:
    """Print the uses of Celery; return FAILED when something is missing, or cannot be read."""
    if not args.path.exists():
        complain(f"there is no {args.path}")
        return USAGE
    findings = check(files_below(args.path, args.exclude), judge)
    show(_document(args, findings), _lines(args, findings), as_json=args.json)
    states = {each.state for each in findings}
    return FAILED if states & {State.MISSING, State.UNREAD} else OK


def _document(args: Namespace, findings: list[Finding]) -> dict[str, Any]:
    return {
        "path": str(args.path),
        **_counts(findings),
        "uses": [each._asdict() for each in findings[: args.limit]],
        "more": len(findings) > args.limit,
    }


def _counts(findings: list[Finding]) -> dict[str, int]:
    counts = Counter(each.state for each in findings)
    return {state.value: counts[state] for state in State}


def _lines(args: Namespace, findings: list[Finding]) -> Iterator[str]:
    for file, line, use, state, why in findings[: args.limit]:
        reason = f": {why}" if why else ""
        yield f"{file}:{line}: {state}: {use}{reason}"
    yield _summary(findings)


def _summary(findings: list[Finding]) -> str:
    if not findings:
        return "no use of Celery"
    counts = _counts(findings)
    files = len({each.file for each in findings})
    unread = f", {counts['unread']} not read" if counts["unread"] else ""
    return (
        f"{counts['missing']} missing, {counts['differs']} different, {counts['works']} working"
        f"{unread}; in {files} {'file' if files == 1 else 'files'}"
    )
