"""How much memory this process holds."""

import os
import sys

if sys.platform == "linux":
    _PAGE = os.sysconf("SC_PAGE_SIZE") // 1024

    def resident_kib() -> int:
        """KiB resident now."""
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE

elif sys.platform == "win32":

    def resident_kib() -> int:
        """KiB resident now; 0 where it is not told, so that a limit never bites by mistake."""
        return 0

else:
    import resource

    def resident_kib() -> int:
        """KiB resident at most so far: macOS and the BSDs do not tell the present."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak
