"""Run all tests: side by side those that can share a machine, then the others one at a time.

    python tools/run_tests.py [options of pytest]

A plain `python -m pytest` runs the same tests, all one at a time: slower, and easier to follow.
"""

import compileall
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Most tests wait for other processes now and then, so one more than there are processors.
TOGETHER = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal"]
STEPS = (
    [*TOGETHER, "-m", "not soak and not alone"],
    ["-p", "no:xdist", "-m", "not soak and alone"],
)

PASSED, INTERRUPTED, NO_TESTS = 0, 2, 5  # pytest's exit codes


def main(options: list[str]) -> int:
    """Run both steps; return the exit code of the first one that failed."""
    if any(option.startswith("-m") for option in options):
        print("run_tests.py chooses by marker itself: run `python -m pytest -m ...`")
        return 4
    # Tests start thousands of programs, and with PYTHONDONTWRITEBYTECODE each would compile liteq
    # again: 0.2 s.
    compileall.compile_dir(ROOT / "liteq", quiet=1)
    codes = []
    for step in STEPS:
        # Ours come last: of several -m, pytest takes the last.
        done = subprocess.run([sys.executable, "-m", "pytest", *options, *step], check=False)
        codes.append(done.returncode)
        if done.returncode == INTERRUPTED:
            break
    failed = [code for code in codes if code not in (PASSED, NO_TESTS)]
    # A selection may well leave a step without tests, but not both.
    return failed[0] if failed else min(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
