"""The first process of a container: hands on signals and collects the dead.

A kernel gives process 1 no default actions for signals, and every process that has lost its parent
becomes its child. Something has to do both duties, and it cannot be the worker, which would collect
processes that the application itself waits for. So the worker is a child of this.
"""

import os
import signal
import sys

_OURS = 0x80  # SI_KERNEL: a terminal's Ctrl-C, which has gone to the worker as well


def needed() -> bool:
    """Whether this process is the first of its container."""
    return os.getpid() == 1 and sys.platform == "linux"


if sys.platform == "linux":

    def split() -> int | None:
        """Fork: None in the child, which goes on as the worker; here its exit code, once it ended.

        To be called before anything is imported that could have threads or connections.
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
                code = _collect(worker)
                if code is not None:
                    return code if code >= 0 else 128 - code
            elif info.si_code != _OURS:
                os.kill(worker, info.si_signo)

    def _collect(worker: int) -> int | None:
        """Collect the dead; answer the worker's exit code if it is one of them."""
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
        """There are no such containers here."""
        return None
