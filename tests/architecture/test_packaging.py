"""The wheel is what users get: it holds all that runs, and it runs a task."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import liteq
from tests.architecture.source import PACKAGE, ROOT

pytestmark = pytest.mark.timeout(180)

PROJECT = """
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")

@app.task
def add(x, y):
    return x + y
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run `command` as somebody who has nothing of ours in the environment."""
    done = subprocess.run(
        command, cwd=cwd, env=clean(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("LITEQ_", "PYTHON"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `LITEQ_WHEEL` names, else one built from this checkout."""
    if built := os.environ.get("LITEQ_WHEEL"):
        return ROOT / built
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh venv that holds the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, symlinks=os.name != "nt")  # our own pip does the work: faster
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    return python


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {path.relative_to(PACKAGE.parent).as_posix() for path in files}

    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("liteq/")}

    assert held == expected
    assert "liteq/py.typed" in held
    assert any(name.endswith(".sql") for name in held)


def test_the_wheel_has_the_version_of_the_code(wheel: Path) -> None:
    assert wheel.name == f"liteq_tasks-{liteq.__version__}-py3-none-any.whl"


@pytest.mark.skipif("LITEQ_WHEEL" in os.environ, reason="the source tree may be gone")
def test_the_sdist_holds_what_is_needed_to_work_on_it(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, ROOT)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}

    assert {"LICENSE", "README.md", "Makefile", "pyproject.toml", "liteq/py.typed"} <= held
    assert {"docs/internals/architecture.md", "tests/architecture/test_packaging.py"} <= held
    assert not [name for name in held if name.startswith((".venv", ".git/", "benchmarks/.venv"))]


def test_an_installed_liteq_runs_a_task(python: Path, tmp_path: Path) -> None:
    tmp_path.joinpath("project.py").write_text(PROJECT)
    send = "from project import add; print(add.delay(2, 3).get(timeout=30))"

    with worker(python, tmp_path):
        answer = run(python, "-c", send, cwd=tmp_path)

    assert answer == "5\n"


def test_the_command_is_installed(python: Path) -> None:
    command = python.with_name("liteq.exe" if os.name == "nt" else "liteq")

    assert "worker" in run(command, "--help")


@contextmanager
def worker(python: Path, folder: Path) -> Iterator[None]:
    command = [str(python), "-m", "liteq", "worker", "-A", "project", "-l", "debug"]
    log = folder / "worker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=clean(), stdout=out, stderr=out)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        finally:
            process.kill()
            print(log.read_text(encoding="utf-8", errors="replace"))  # shown when the test fails
