"""The note beside an application's own file: the folder of the program that made it."""

import os
from contextlib import suppress

from .location import make_folder


def note_of(path: str) -> str:
    """Return the path of the note beside the store at `path`."""
    return f"{path}-made-in"


def noted_folder(path: str, folder: str) -> str:
    """Return the folder of the program that made the store at `path`: that of its note.

    If there is no note, or the folder in it is gone, `folder` is noted and returned. What cannot
    be read or written is no error: opening the store will tell.
    """
    note = note_of(path)
    with suppress(OSError, UnicodeError):
        with open(note, encoding="utf-8") as file:
            noted = file.read()
        if os.path.isdir(noted):
            return noted
    with suppress(OSError, UnicodeError):
        make_folder(os.path.dirname(path))
        with open(note, "w", encoding="utf-8") as file:
            file.write(folder)
    return folder
