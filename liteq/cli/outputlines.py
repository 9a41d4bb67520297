"""Lines that tasks have printed and logged, as `logs` and `jobs show` show them."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from ..model.output import OutputLine
from ..support.printable import counted
from ..support.zones import title_of
from .output import local, moment
from .views import View


def line_view(line: OutputLine) -> View:
    """Return the view of a line."""
    return {**line._asdict(), "at": moment(line.at)}


def line_texts(
    lines: Sequence[OutputLine], zone: tzinfo, before: OutputLine | None = None
) -> Iterator[str]:
    """Yield lines for people, and how many are missing; `before`: the one that was shown last."""
    for line in lines:
        if before is None or line.attempt != before.attempt:
            yield f"attempt {line.attempt} (times in {title_of(zone)})"
            missing = line.number - 1
        else:
            missing = line.number - before.number - 1
        if missing > 0:
            yield f"... {counted(missing, 'line')}"
        yield f"{local(line.at, zone)} {line.level or 'printed':8} {line.text.expandtabs()}"
        before = line
