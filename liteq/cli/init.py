"""An init process, for a worker that is process 1 of its container.

The kernel gives process 1 no default actions for signals, and every orphaned process becomes its
child. So it has to forward signals and to reap orphans. The worker cannot do that itself: it would
reap processes that the application waits for. So the worker becomes a child of this process.
"""

import os
import signal
import sys

_FROM_KERNEL = 0x80  # SI_KERNEL: a terminal's Ctrl-C, which the worker has received as well


def needed() -> bool:
    """Return whether this is process 1 of a container."""
    return os.getpid() == 1 and sys.platform == "linux"


if sys.platform == "linux":

    def split() -> int | None:
        """Fork; return None in the child, and its exit code here, when it has exited.

        Call it before anything is imported that may have threads or connections.
        """
        everything = signal.valid_signals()
        signal.pthread_sigmask(signal.SIG_BLOCK, everything)
        worker = os.fork()
        if worker == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, everything)
            return None
        while True:
            info = signal.sigwaitinfo(everything)
            if info.si_signo == signal.SIGCHLD:
                code = _reap(worker)
                if code is not None:
                    return code if code >= 0 else 128 - code
            elif info.si_code != _FROM_KERNEL:
                os.kill(worker, info.si_signo)

    def _reap(worker: int) -> int | None:
        """Reap all processes that have exited; return the worker's exit code if it is one."""
        found = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            if pid == worker:
                found = os.waitstatus_to_exitcode(status)

else:

    def split() -> int | None:
        """Return None: there are no such containers here."""
        return None
