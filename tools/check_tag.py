"""Is this tag that of the version in liteq/version.py? A release asks before it builds anything.

Usage: `python tools/check_tag.py v1.2.3`
"""

import runpy
import sys
from pathlib import Path

VERSION = Path(__file__).parents[1] / "liteq" / "version.py"


def main(tag: str) -> int:
    """Compare them; return the exit code, 0 when they agree."""
    version = runpy.run_path(str(VERSION))["__version__"]
    if tag == f"v{version}":
        return 0
    print(f"the tag is {tag!r}, but liteq/version.py says {version}: tag v{version}, or mend it")
    return 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/check_tag.py TAG")
    sys.exit(main(sys.argv[1]))
