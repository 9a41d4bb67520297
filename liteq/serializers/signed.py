"""Signatures: bytes that somebody else could have written are not even looked at.

Only whoever knows the key can sign. A signature is over where the bytes belong as well, so that
those of one task do not pass for those of another.
"""

from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest, digest

from ..exceptions import ImproperlyConfigured, SecurityError

_VERSION = b"LQ1\n"
_SIZE = 32  # bytes of the signature, which follows the version
_SHORTEST_KEY = 32


class Signer:
    """Signs with `key`, of at least 32 bytes. Raises ImproperlyConfigured for a shorter one."""

    def __init__(self, key: str | bytes) -> None:
        raw = key.encode() if isinstance(key, str) else key
        if len(raw) < _SHORTEST_KEY:
            raise ImproperlyConfigured(
                f"secret_key has {len(raw)} bytes and needs {_SHORTEST_KEY}: make one with "
                f'python -c "import secrets; print(secrets.token_hex(32))"'
            )
        # A key of its own, since Django's SECRET_KEY signs other things too.
        self._key = sha256(b"liteq signs tasks\0" + raw).digest()

    def sign(self, data: bytes, *belonging: str) -> bytes:
        """`data` with a signature over it and the names of what it belongs to."""
        return b"%b%b%b" % (_VERSION, self._signature(data, belonging), data)

    def verified(self, data: bytes, *belonging: str) -> bytes:
        """The bytes that `sign` was given, with the same names. Raises SecurityError."""
        start = len(_VERSION)
        if not data.startswith(_VERSION):
            raise SecurityError("it is not signed")
        signature, body = data[start : start + _SIZE], data[start + _SIZE :]
        if not compare_digest(signature, self._signature(body, belonging)):
            raise SecurityError("its signature does not fit: it was changed, or the keys differ")
        return body

    def _signature(self, data: bytes, belonging: Iterable[str]) -> bytes:
        # Each part with its length before it: ("ab", "c") is not ("a", "bc").
        parts = [_VERSION]
        for name in belonging:
            raw = name.encode()
            parts += (b"%d:" % len(raw), raw)
        return digest(self._key, b"".join([*parts, b"\n", data]), "sha256")
