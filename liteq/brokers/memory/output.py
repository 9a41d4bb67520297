"""What tasks print and log, in the tables."""

from ...model.output import MOST_ATTEMPTS, Output, OutputLine
from .tables import Tables


def write_output(tables: Tables, id: str, output: Output) -> None:
    """Store lines of a task, and delete those that are not to be kept any longer."""
    attempt = output.attempt
    kept = [line for line in tables.output.get(id, ()) if _is_kept(line, output)]
    new = [OutputLine(attempt, *line) for line in output.lines]
    tables.output[id] = (*kept, *new)


def _is_kept(line: OutputLine, output: Output) -> bool:
    """Return whether a stored line stays when `output` comes."""
    if line.attempt == output.attempt:
        return not output.begins and output.keep_from <= line.number < output.lines[0][0]
    return output.attempt - MOST_ATTEMPTS < line.attempt < output.attempt
