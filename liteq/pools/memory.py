"""The memory of this process."""

import os
import sys

if sys.platform == "linux":
    _PAGE = os.sysconf("SC_PAGE_SIZE") // 1024

    def resident_kib() -> int:
        """Return the resident memory now, in KiB."""
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE

elif sys.platform == "win32":

    def resident_kib() -> int:
        """Return 0, which exceeds no limit: the memory is not measured on Windows."""
        return 0

else:
    import resource

    def resident_kib() -> int:
        """Return the peak of resident memory in KiB: macOS and the BSDs do not tell the present."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak
