"""A TCP proxy that can be told to misbehave."""

import select
import socket
import struct
import threading
from contextlib import suppress

from tests.servers import free_port

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class Proxy:
    """Stands between clients and the server at `target` (a port of the loopback address)."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.silent = False  # a black hole: what comes is not passed on, and nothing is refused
        self.mute = False  # answers of the server are swallowed
        self._links: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self) -> None:
        """Break all connections as a crashed host would."""
        links, self._links = self._links, []
        for link in links:
            with suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                link.close()

    def close(self) -> None:
        self._listener.close()
        self.reset()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            suppress(OSError, ValueError),
            client,
            socket.create_connection(("127.0.0.1", self.target)) as server,
        ):
            self._links += [client, server]
            while self._pass_on(client, server):
                pass

    def _pass_on(self, client: socket.socket, server: socket.socket) -> bool:
        readable, _, _ = select.select([client, server], [], [], 0.05)
        if self.silent:
            threading.Event().wait(0.02)  # it stays where it is
            return True
        for one, other in ((client, server), (server, client)):
            if one in readable:
                data = one.recv(65536)
                if not data:
                    return False
                if not (self.mute and one is server):
                    other.sendall(data)
        return True
