"""The descriptors 0 to 2, which a program may be started without."""

import os
from contextlib import suppress


def fill_standard_streams() -> None:
    """Open the null device for those of the descriptors 0 to 2 that are closed.

    Otherwise the next file that is opened would get such a number, and what is printed, here or in
    a process that inherits it, would be written into that file.
    """
    for wanted in range(3):
        with suppress(OSError):
            os.fstat(wanted)
            continue
        fd = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
        os.set_inheritable(fd, True)
