"""What tasks print and log, in the tables."""

from ...model.output import Output
from .tables import Tables


def write_output(tables: Tables, id: str, output: Output) -> None:
    """Store lines of a task, and delete what is not to be kept any longer."""
    kept = [each for each in tables.output.get(id, ()) if output.keeps(each)]
    tables.output[id] = (*kept, output)
