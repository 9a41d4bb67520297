"""Fresh interpreters that call a function of ours with one end of a stream.

The call is sent through the standard input of the new process, so that nothing of it shows in the
list of processes, and because Windows passes a socket as bytes.
"""

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from ..support.childprocess import imported_first, mark_as_child
from ..support.plugins import load

# The path is set first: liteq itself may be importable only by the parent's path.
_PROGRAM = (
    "import json, sys; call = json.loads(sys.stdin.buffer.readline()); "
    "sys.path[:] = call['path']; "
    "from liteq.pools.spawn import main; main(call)"
)


class SpawnedProcess(subprocess.Popen[bytes]):
    """A process that `spawn` has started."""

    def wait_or_kill(self, timeout: float) -> None:
        """Wait until it has exited; kill it if that takes more than `timeout` seconds."""
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait()


def spawn(
    function: str, stream: socket.socket, setup: Mapping[str, Any], *, keep: Sequence[int] = ()
) -> SpawnedProcess:
    """Start a process that calls `function`, a "module:name", with `stream` and `setup`.

    `keep`: descriptors that it inherits (not on Windows). `stream` is closed in this process once
    the new one has it.
    """
    # On Windows the socket is shared by another way.
    inherited = () if sys.platform == "win32" else (stream.fileno(), *keep)
    program, environment = _interpreter()
    process = SpawnedProcess(
        [program, *_interpreter_flags(), "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        pass_fds=inherited,
        close_fds=True,
        # A group of its own: a child can be killed together with all processes that it started,
        # and a fork server survives a kill of its supervisor's group, to kill the children.
        process_group=0,
        env=environment,
    )
    assert process.stdin is not None
    handle = _share_socket(stream, process.pid)
    call = {
        "path": sys.path,
        "arguments": [str(each) for each in sys.argv],
        "imports": imported_first(),
        "function": function,
        "socket": handle,
        "setup": setup,
    }
    try:
        process.stdin.write(json.dumps(call).encode() + b"\n")
        process.stdin.close()
    except OSError:
        pass  # it exited at once, which closes its end of the stream
    stream.close()
    return process


def main(call: dict[str, Any]) -> None:
    """Make the call that `spawn` asked for, in the new process."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # a task that reads standard input finds it empty
    os.close(null)
    sys.argv[:] = call["arguments"]  # modules of the program may read them at their import
    mark_as_child()  # before anything of the program is imported
    for name in call["imports"]:
        import_module(name)
    with _receive_socket(call["socket"]) as stream:
        load(call["function"])(stream, call["setup"])


def _interpreter() -> tuple[str, dict[str, str] | None]:
    """Return the program of a fresh interpreter, and its environment if it is not that of ours.

    In a venv on Windows `sys.executable` starts the interpreter as yet another process, so the
    socket would be shared with the wrong one, and a kill would hit the wrong one, too. This is what
    `multiprocessing` does; it was never run here.
    """
    base = getattr(sys, "_base_executable", sys.executable)
    if sys.platform != "win32" or os.path.normcase(base) == os.path.normcase(sys.executable):
        return sys.executable, None
    return base, {**os.environ, "__PYVENV_LAUNCHER__": sys.executable}


def _interpreter_flags() -> list[str]:
    return subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined,no-any-return]


if sys.platform == "win32":

    def _share_socket(end: socket.socket, pid: int) -> str:
        return base64.b64encode(end.share(pid)).decode()

    def _receive_socket(handle: str) -> socket.socket:
        return socket.fromshare(base64.b64decode(handle))

else:

    def _share_socket(end: socket.socket, pid: int) -> int:
        return end.fileno()

    def _receive_socket(handle: int) -> socket.socket:
        return socket.socket(fileno=handle)
