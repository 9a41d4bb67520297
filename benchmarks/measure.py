"""One measurement of one contender, in a process of its own: `run.py` starts it.

    python measure.py MEASURE CONTENDER OPTIONS

The last line it prints is the reading, as JSON.
"""

import json
import sys

from contenders import contender
from rows import measure
from rows.base import Options


def main() -> None:
    name, who, options = sys.argv[1:]
    reading = measure(name)(contender(who)(), Options(**json.loads(options)))
    print(json.dumps(reading))


if __name__ == "__main__":
    main()
