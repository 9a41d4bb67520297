"""Start a fresh interpreter that calls a function of ours with one end of a stream.

What it is to do goes through its standard input, so that nothing of it shows in the list of
processes and the same way works on Windows, where a socket is handed over as bytes.
"""

import base64
import json
import os
import socket
import subprocess
import sys
from typing import Any

from ..support.plugins import load

# The path comes first: liteq itself may be importable only by the parent's path.
_PROGRAM = (
    "import json, sys; order = json.loads(sys.stdin.buffer.readline()); "
    "sys.path[:] = order['path']; "
    "from liteq.pools.spawn import main; main(order)"
)


def spawn(function: str, end: socket.socket, order: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """A new process that calls `function(socket, order)`; `function` is "module:name".

    `end` is closed here once it is the child's.
    """
    keep = () if sys.platform == "win32" else (end.fileno(),)
    process = subprocess.Popen(
        [sys.executable, *_interpreter_flags(), "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        pass_fds=keep,
        close_fds=True,
        # A child can be ended together with all it started; and a fork server outlives a kill of
        # its supervisor's group, to end the children.
        process_group=0,
    )
    assert process.stdin is not None
    handle = _share_socket(end, process.pid)
    wanted = {**order, "function": function, "path": sys.path, "socket": handle}
    try:
        process.stdin.write(json.dumps(wanted).encode() + b"\n")
        process.stdin.close()
    except OSError:
        pass  # it died at once; its end of the stream tells
    end.close()
    return process


def main(order: dict[str, Any]) -> None:
    """The new process's side: take the stream and do what was asked."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # a task that reads standard input gets its end, not our next order
    os.close(null)
    load(order["function"])(_receive_socket(order["socket"]), order)


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
