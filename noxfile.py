"""The tests on every Python found, each in a venv of its own: what `make test-all` runs."""

import os
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]

nox.needs_version = ">=2025.2.9"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True

# pyenv puts a stub for each version on the path, and the stubs of those that are not selected
# only print an error. The real ones have to come first.
pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
installed = [str(python.parent) for python in pyenv.glob("versions/3.*/bin/python")]
os.environ["PATH"] = os.pathsep.join([*installed, os.environ["PATH"]])


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Install the checkout with what its tests need, and run them."""
    session.install("--editable", ".[dev]")
    session.run("python", "tools/run_tests.py", *session.posargs)
