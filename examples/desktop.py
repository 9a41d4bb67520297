"""A window whose long jobs survive its end.

    python examples/desktop.py                    jobs are kept in your state folder
    python examples/desktop.py --store jobs.db    or in a file of your choice

A button starts a drawing that takes a while. Two are drawn at a time, in processes of their own,
so the window never waits for them. Close it, or kill it, at any time: no process is left, and
at the next start each drawing goes on at the row that it had reached. The worker is a part of
this program; there is no other program, and no server.
"""

import argparse
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path
from tkinter import Tk, ttk
from urllib.parse import quote

from liteq import LiteQ
from liteq.model.job import Job

# A task that loses its process three times is usually the cause, and is set aside. Here it is not:
# the user may kill this program any number of times.
app = LiteQ("desktop", task_max_lost=1000)

# The job: a part of the Mandelbrot set, row by row.

PLACES = {  # the centre of the picture, and how far it is from there to its edges
    "Everything": (-0.6 + 0.0j, 1.4),
    "Seahorses": (-0.745 + 0.113j, 0.012),
    "Elephants": (0.2825 + 0.008j, 0.012),
    "Lightning": (-0.1011 + 0.9563j, 0.02),
}


def steps(point: complex) -> int:
    """Return after how many steps `point` leaves the circle of radius 2; 0 if it never does."""
    z = 0j
    for step in range(256):
        if abs(z) > 2:
            return step
        z = z * z + point
    return 0


def line(place: str, row: int, size: int) -> bytes:
    """Return one row of a picture, a byte for each point."""
    centre, reach = PLACES[place]
    step = 2 * reach / size
    left = centre + complex(-reach, reach - row * step)
    return bytes(steps(left + column * step) for column in range(size))


@app.task(bind=True)
def draw(self, place: str, size: int, path: str) -> str:
    """Draw `place` as a square picture and return its path.

    It may be killed at any row and run again. The unfinished file is its own checkpoint: the rows
    that are whole are kept. Only a picture that is finished gets its name.
    """
    picture, part = Path(path), Path(f"{path}.part")
    if picture.exists():  # the run before this one was killed just before it returned
        return path
    part.parent.mkdir(parents=True, exist_ok=True)
    header = f"P5 {size} {size} 255\n".encode()
    with part.open("ab") as file:
        drawn = (file.tell() - len(header)) // size
        if drawn < 0:  # there is nothing, or not even a header
            drawn = 0
            file.truncate(0)
            file.write(header)
        file.truncate(len(header) + drawn * size)
        for row in range(drawn, size):
            if row % (size // 100 or 1) == 0:
                file.flush()  # first, so that no row is reported that a kill would lose
                self.update_state(meta={"rows": row, "of": size})
            file.write(line(place, row, size))
    part.replace(picture)
    return path


# The window: it shows what is in the store, and a click changes the store.


def cancel(id: str) -> None:
    """End the job, whether it waits or runs."""
    app.jobs.cancel([id], terminate=True)


def again(id: str) -> None:
    """Go on with a job that was cancelled or has failed."""
    app.jobs.retry([id])


def clear(id: str) -> None:
    """Take a finished job off the list. The picture stays."""
    app.jobs.delete([id])


SHOWN = {
    "ready": ("waiting", "Cancel", cancel),
    "running": ("drawing", "Cancel", cancel),
    "succeeded": ("done", "Clear", clear),
    "cancelled": ("cancelled", "Again", again),
    "failed": ("failed", "Again", again),
    "dead": ("failed", "Again", again),
}


class Row(ttk.Frame):
    """One job: its place, a progress bar, its status, and a button."""

    def __init__(self, parent: ttk.Frame, place: str) -> None:
        super().__init__(parent)
        self.bar = ttk.Progressbar(self, length=240, maximum=1)
        self.status = ttk.Label(self, width=12)
        self.button = ttk.Button(self, width=8)
        for part in (ttk.Label(self, text=place, width=12), self.bar, self.status, self.button):
            part.pack(side="left", padx=6, pady=4)

    def show(self, job: Job) -> None:
        """Show the job as it is in the store now."""
        status, verb, act = SHOWN[job.state]
        self.status["text"] = status
        self.button.configure(text=verb, command=partial(act, job.id))
        if job.state == "succeeded":
            self.bar["value"] = 1
        elif job.state == "running" and isinstance(progress := app.AsyncResult(job.id).info, dict):
            self.bar["value"] = progress["rows"] / progress["of"]


class Window:
    """All jobs, from this start of the program or an earlier one."""

    def __init__(self, root: Tk, pictures: Path, size: int) -> None:
        self.root, self.pictures, self.size = root, pictures, size
        self.rows: dict[str, Row] = {}
        buttons = ttk.Frame(root)
        for place in PLACES:
            button = ttk.Button(buttons, text=place, command=partial(self.start, place))
            button.pack(side="left", padx=6, pady=6)
        buttons.pack(anchor="w")
        self.jobs = ttk.Frame(root)
        self.jobs.pack(fill="both")
        self.tick()

    def start(self, place: str) -> None:
        """Send a job. The file's name is an argument, so that each run writes the same file."""
        # One reading: the clock of `strftime` lags, and may still be in the second before.
        second, rest = divmod(time.time_ns(), 10**9)
        when = time.strftime("%Y%m%d-%H%M%S", time.localtime(second))
        name = f"{place}-{when}-{rest:09}.pgm"
        draw.delay(place, self.size, str(self.pictures / name))

    def tick(self) -> None:
        """Read the store, five times a second. It takes a millisecond."""
        self.root.after(200, self.tick)  # first, so that an error does not stop the timer
        jobs = app.jobs.list(state=SHOWN, task=draw.name, limit=1000)[::-1]
        for id in self.rows.keys() - {job.id for job in jobs}:
            self.rows.pop(id).destroy()
        for job in jobs:
            if job.id not in self.rows:
                place, *_ = app.AsyncResult(job.id).args
                row = self.rows[job.id] = Row(self.jobs, place)
                row.pack(anchor="w")
            self.rows[job.id].show(job)
        self.root.title(self.summary(jobs))

    def summary(self, jobs: list[Job]) -> str:
        """Return all jobs in one line: `58 %: 2 drawing, 1 waiting`."""
        if not jobs:
            return "No pictures"
        counts = Counter(SHOWN[job.state][0] for job in jobs)
        progress = sum(row.bar["value"] for row in self.rows.values()) / len(jobs)
        return f"{progress:.0%}: " + ", ".join(f"{n} {status}" for status, n in counts.items())


def main() -> None:
    """Open the window on its own worker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, metavar="FILE", help="where the jobs are kept")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="where pictures are put")
    parser.add_argument("--size", type=int, default=800, help="points along an edge")
    args = parser.parse_args()
    if args.store:
        app.conf.broker_url = f"sqlite:///{quote(args.store.resolve().as_posix(), safe='/:')}"
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Tk would swallow Ctrl-C; we may be killed

    root = Tk()
    pictures = args.pictures or Path.home() / "Pictures" / "Mandelbrot"
    worker = app.Worker(concurrency=2).start()
    Window(root, pictures.resolve(), args.size)
    root.mainloop()
    # The window is closed. Running jobs are killed here, and go on at the next start.
    worker.stop(timeout=0)


if __name__ == "__main__":
    main()
