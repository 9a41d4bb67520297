"""`liteq doctor`: examine the store and repair it."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from ..brokers.base import Broker, Examination, Finding
from ..brokers.serving import tasks_wait_unserved, unserved_queues
from ..exceptions import BrokerTooOld
from ..sending.formats import result_serializer
from ..worker.decide import policy_of
from ..worker.rescue import rescue
from .apps import app_of
from .exits import DATA, FAILED, OK
from .options import add_json
from .output import say, say_json


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--repair", action="store_true", help="put in order what can be, while others work")
    add("--thorough", action="store_true", help="check the indexes against the tables, too")
    add("--vacuum", action="store_true", help="give empty space back; everybody else waits")
    add_json(parser)


def run(args: Namespace) -> int:
    """Examine, repair if asked, examine again; return FAILED when errors or warnings are left."""
    app = app_of(args)
    broker = app.broker
    done = []
    if args.repair and _is_old(broker):
        broker.counts()  # opens it, which upgrades it
        done.append("upgraded the tables of an earlier liteq")
    found = _examine(broker, thorough=args.thorough)
    if args.repair and not _is_damaged(found):
        rescued = rescue(broker, policy_of(app.conf), result_serializer(app.conf, broker))
        done += [f"took back {len(rescued)} tasks of dead workers"] if rescued else []
        done += broker.mend()
    if args.vacuum and not _is_damaged(found):
        broker.compact()
        done.append("gave empty space back")
    if done:
        found = _examine(broker, thorough=args.thorough)
    if args.json:
        findings = [each._asdict() for each in found.findings]
        say_json({"store": broker.url, **found.facts, "findings": findings, "done": done})
    else:
        say(*_lines(found, done))
    if _is_damaged(found):
        return DATA
    return FAILED if any(each.severity != "note" for each in found.findings) else OK


def _is_old(broker: Broker) -> bool:
    try:
        broker.check_exists()
    except BrokerTooOld:
        return True
    return False


def _examine(broker: Broker, *, thorough: bool) -> Examination:
    """Return the state of the store, with a note for each queue that no worker serves."""
    found = broker.examine(thorough=thorough)
    if _is_damaged(found):
        return found
    cure = "start a worker with -Q and its name, or purge what was sent there by mistake"
    unserved = unserved_queues(broker.counts(), broker.workers()).items()
    notes = [Finding("note", tasks_wait_unserved(*each), cure) for each in unserved]
    return found._replace(findings=[*found.findings, *notes])


def _is_damaged(found: Examination) -> bool:
    """Return whether the file is damaged, so that nothing should be written to it."""
    return bool(found.facts.get("damage"))


def _lines(found: Examination, done: list[str]) -> Iterator[str]:
    for name, value in found.facts.items():
        if value or value == 0:
            yield f"{name.replace('_', ' ')}: {_text(value)}"
    for text in done:
        yield f"repaired: {text}"
    for finding in found.findings:
        yield ""
        yield from _finding(finding)
    if not found.findings:
        yield ""
        yield "All is well."


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity.upper()}: {finding.what}"
    yield f"  {finding.cure}"


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
