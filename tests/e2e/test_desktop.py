"""The desktop example, used as its user would: a real window, a window manager, a mouse."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from liteq import LiteQ
from liteq.model.message import Record
from liteq.states import Phase

from .project import ROOT, Program, Project, alive, children_of, wait_for

MISSING = [tool for tool in ("Xvfb", "twm", "xdotool") if shutil.which(tool) is None]
MISSING += [] if find_spec("_tkinter") else ["tkinter"]

pytestmark = [
    pytest.mark.alone,  # windows are closed and killed halfway through two seconds of work
    pytest.mark.skipif(sys.platform != "linux", reason="a virtual screen, and /proc"),
    pytest.mark.skipif(
        bool(MISSING), reason=f"needs {', '.join(MISSING)}; `make screen` installs it on Debian"
    ),
]

# As in most window managers, Alt-F4 asks a window to close itself.
TWM = 'RandomPlacement\n"F4" = meta : all : f.delete\n'

VISIBLE = ("search", "--onlyvisible", "--name")
TITLE = "^No pictures$|%: "  # of the example's window
_CLIENT = 21  # bits of a window's number that are not its program's

FIRST = 4  # the button of the first job comes after those of the four places

SIZE = 400  # points along an edge: some two seconds of work
MARK = b"mark"


class Screen:
    """A virtual screen with a window manager and a mouse."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        read_end, write_end = os.pipe()
        argv = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "900x700x24"]
        self._run(stack, [*argv, "-nolisten", "tcp"], None, keep=write_end)
        os.close(write_end)
        with os.fdopen(read_end) as file:  # the server writes its number when it is ready
            self.env = {**os.environ, "DISPLAY": f":{file.readline().strip()}"}
        config = folder / "twmrc"
        config.write_text(TWM)
        # In C.UTF-8, which X knows little of, it finds no font and ends at once.
        self._run(stack, ["twm", "-f", str(config)], {**self.env, "LC_ALL": "C"})

    def xdotool(self, *argv: str) -> list[str]:
        """Run xdotool; return the lines that it prints, none when it finds nothing."""
        done = subprocess.run(
            ["xdotool", *argv], env=self.env, capture_output=True, text=True, check=False
        )
        return done.stdout.splitlines()

    def title(self, pattern: str) -> str:
        """Return the title of the window that matches `pattern`; empty when there is none."""
        return "".join(self.xdotool(*VISIBLE, pattern, "getwindowname"))

    def buttons(self) -> list[str]:
        """Return the windows that are buttons, in the order in which they were made.

        Tk makes a window of each of its parts. They have no names, but their numbers go up, and
        all buttons are of one height: that of the third part, after the window itself and the
        frame of the first button.
        """
        ours = [int(window) >> _CLIENT for window in self.xdotool(*VISIBLE, TITLE)]
        found = self.xdotool(*VISIBLE, "^$", "getwindowgeometry", "--shell", "%@")
        windows = [line.partition("=")[2] for line in found if line.startswith("WINDOW=")]
        heights = [line.partition("=")[2] for line in found if line.startswith("HEIGHT=")]
        parts = [
            (int(window), height)
            for window, height in zip(windows, heights, strict=True)
            if int(window) >> _CLIENT in ours
        ]
        parts.sort()
        return [str(window) for window, height in parts if height == parts[2][1]]

    def click(self, button: int) -> None:
        """Click the button of that number."""
        window = wait_for(lambda: self.buttons()[button:], f"button {button}")[0]
        self.xdotool("mousemove", "--window", window, "10", "10", "click", "1")

    def close_window(self) -> None:
        """Let the window manager close the window: the one that the mouse is in."""
        self.xdotool(*VISIBLE, TITLE, "mousemove", "--window", "%1", "20", "20", "key", "alt+F4")

    def _run(
        self, stack: ExitStack, argv: list[str], env: dict[str, str] | None, keep: int = 2
    ) -> None:
        null = subprocess.DEVNULL
        process = subprocess.Popen(argv, env=env, stdout=null, stderr=null, pass_fds=[keep])
        stack.callback(process.wait)
        stack.callback(process.kill)


class Desktop:
    """The example, with a store and pictures of its own."""

    header = f"P5 {SIZE} {SIZE} 255\n".encode()

    def __init__(self, folder: Path, screen: Screen, stack: ExitStack) -> None:
        self._screen = screen
        self._stack = stack
        self.pictures = folder / "pictures"
        self._store = folder / "my jobs.db"
        self._project = Project(folder, source="")
        self._project.env["DISPLAY"] = screen.env["DISPLAY"]
        url = f"sqlite:///{quote(str(self._store))}"
        self._app = LiteQ("desktop", broker=url, set_as_current=False)

    def start(self) -> Program:
        argv = ["--store", str(self._store), "--pictures", str(self.pictures)]
        script = str(ROOT / "examples" / "desktop.py")
        program = self._project.start(script, *argv, "--size", str(SIZE))
        self._stack.callback(program.kill)
        return program

    def jobs(self) -> list[Record]:
        """Return all jobs, oldest first."""
        return self._app.broker.listing(list(Phase), 100)

    def phases(self) -> list[Phase]:
        return [job.phase for job in self.jobs()]

    def rows(self) -> list[int]:
        """Return how many rows each job has reported as drawn."""
        reported = [job.reported and self._app.backend.value(job) for job in self.jobs()]
        return [each["rows"] if isinstance(each, dict) else 0 for each in reported]

    def ends(self, number: int) -> list[str]:
        """Return the outcome of each attempt at a job."""
        return [each.outcome for each in self._app.broker.attempts(self.jobs()[number].message.id)]

    def finished(self) -> list[bytes]:
        """Return the pictures, oldest first."""
        return [path.read_bytes() for path in sorted(self.pictures.glob("*.pgm"))]

    def shows(self, pattern: str) -> str:
        """Wait for the window to have a title like this."""
        return wait_for(lambda: self._screen.title(pattern), f"a window with the title {pattern}")

    def close(self, program: Program) -> None:
        """Close the window, and check that the program exits and leaves no process."""
        offspring = children_of(program.pid)

        def closed() -> bool:
            self._screen.close_window()  # again and again: keys follow the mouse with a delay
            return program.process.poll() is not None

        wait_for(closed, "the end of the program")
        assert program.wait() == 0, program.output
        wait_for(lambda: not any(map(alive, offspring)), "the end of the children")
        assert "Traceback" not in program.output


@cache
def undisturbed(place: str) -> bytes:
    """Return the picture that is drawn without an interruption."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        call = f"import desktop; desktop.draw({place!r}, {SIZE}, {str(path)!r})"
        path_to = os.pathsep.join((str(ROOT), str(ROOT / "examples")))
        env = {**os.environ, "PYTHONPATH": path_to}
        subprocess.run([sys.executable, "-c", call], env=env, check=True)
        return path.read_bytes()


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    with ExitStack() as stack:
        yield Screen(tmp_path, stack)


@pytest.fixture
def desktop(tmp_path: Path, screen: Screen) -> Iterator[Desktop]:
    with ExitStack() as stack:
        yield Desktop(tmp_path, screen, stack)


def draw_three(desktop: Desktop, screen: Screen) -> None:
    """Start three jobs, and wait until two of them have drawn some rows."""
    desktop.shows("^No pictures$")
    for _ in range(3):
        screen.click(0)
    wait_for(lambda: sum(rows > 0 for rows in desktop.rows()) == 2, "two jobs with some rows")


def kill(program: Program) -> set[int]:
    """Kill only the window's process, with SIGKILL; return its children."""
    offspring = children_of(program.pid)
    assert offspring
    program.kill()
    return offspring


def mark_unfinished(desktop: Desktop) -> None:
    """Write a mark into the first row of the two unfinished pictures.

    It stays there only if the job goes on with the file.
    """
    first, second = sorted(desktop.pictures.glob("*.part"))
    for path in (first, second):
        with path.open("r+b") as file:
            file.seek(len(desktop.header))
            file.write(MARK)


def check_three(desktop: Desktop) -> None:
    """Check that two pictures have the mark, and are otherwise as without an interruption."""
    whole, start = undisturbed("Everything"), len(desktop.header)
    marked = whole[:start] + MARK + whole[start + len(MARK) :]
    assert desktop.finished() == [marked, marked, whole]
    assert not list(desktop.pictures.glob("*.part"))


def test_jobs_start_by_a_click_show_progress_and_are_cleared_away(
    desktop: Desktop, screen: Screen
) -> None:
    program = desktop.start()
    desktop.shows("^No pictures$")
    screen.click(0)
    screen.click(3)
    desktop.shows("^[1-9][0-9]?%: .*drawing")
    desktop.shows("^100%: 2 done$")

    everything, lightning = desktop.finished()
    assert everything == undisturbed("Everything")
    assert lightning == undisturbed("Lightning")

    screen.click(FIRST)  # Clear
    desktop.shows("^100%: 1 done$")
    screen.click(FIRST)
    desktop.shows("^No pictures$")
    assert desktop.jobs() == []
    assert len(desktop.finished()) == 2
    desktop.close(program)


def test_a_job_is_cancelled_by_a_click_and_goes_on_by_another_one(
    desktop: Desktop, screen: Screen
) -> None:
    program = desktop.start()
    desktop.shows("^No pictures$")
    screen.click(0)
    screen.click(0)
    wait_for(lambda: len(desktop.rows()) == 2 and min(desktop.rows()) > 0, "both jobs")
    screen.click(FIRST)  # Cancel
    desktop.shows("1 cancelled")
    desktop.shows("1 cancelled, 1 done$")

    assert desktop.ends(0) == ["cancelled"]
    assert len(desktop.finished()) == 1

    screen.click(FIRST)  # Again
    desktop.shows("^100%: 2 done$")
    assert desktop.finished() == [undisturbed("Everything")] * 2
    desktop.close(program)


def test_what_a_closed_window_left_goes_on_at_the_next_start(
    desktop: Desktop, screen: Screen
) -> None:
    program = desktop.start()
    draw_three(desktop, screen)
    desktop.close(program)
    assert desktop.phases() == [Phase.READY] * 3
    assert [job.lost for job in desktop.jobs()] == [0] * 3
    mark_unfinished(desktop)

    program = desktop.start()
    desktop.shows("2 drawing, 1 waiting$")
    desktop.shows("^100%: 3 done$")
    check_three(desktop)
    desktop.close(program)


def test_what_a_window_left_that_was_killed_again_and_again_goes_on(
    desktop: Desktop, screen: Screen
) -> None:
    program = desktop.start()
    draw_three(desktop, screen)
    offspring = kill(program)
    mark_unfinished(desktop)
    for _ in range(3):
        before = desktop.rows()[0]
        program = desktop.start()
        # More rows, not just other ones: there are none from the rescue until the job goes on.
        wait_for(lambda: desktop.rows()[0] > before, "progress")  # noqa: B023 - called here only
        offspring |= kill(program)

    program = desktop.start()
    desktop.shows("^100%: 3 done$")
    assert desktop.ends(0) == ["lost"] * 4 + ["succeeded"]
    check_three(desktop)
    assert not any(map(alive, offspring))
    desktop.close(program)
