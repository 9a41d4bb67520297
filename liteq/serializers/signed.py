"""Signatures, by which bytes that another program could have written are refused undecoded.

A signature covers the bytes and what they belong to, so that those of one task are not accepted
for another.
"""

from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest, digest

from ..exceptions import ImproperlyConfigured, SecurityError

_VERSION = b"LQ1\n"
_SIZE = 32  # bytes of the signature, which follows the version
_SHORTEST_KEY = 32


class Signer:
    """A signer with `key`, of at least 32 bytes. Raises ImproperlyConfigured for a shorter key."""

    def __init__(self, key: str | bytes) -> None:
        raw = key.encode() if isinstance(key, str) else key
        if len(raw) < _SHORTEST_KEY:
            raise ImproperlyConfigured(
                f"secret_key has {len(raw)} bytes and needs {_SHORTEST_KEY}: make one with "
                f'python -c "import secrets; print(secrets.token_hex(32))"'
            )
        # A derived key, because Django's SECRET_KEY, which may be given, signs other things too.
        self._key = sha256(b"liteq signs tasks\0" + raw).digest()

    def sign(self, data: bytes, *owner: str) -> bytes:
        """Return `data` with a signature over it and the names in `owner`, which it belongs to."""
        return b"%b%b%b" % (_VERSION, self._signature(data, owner), data)

    def verified(self, data: bytes, *owner: str) -> bytes:
        """Return the bytes that `sign` was given with the same `owner`.

        Raises SecurityError when they are not signed, or the signature does not fit.
        """
        start = len(_VERSION)
        if not data.startswith(_VERSION):
            raise SecurityError("it is not signed")
        signature, body = data[start : start + _SIZE], data[start + _SIZE :]
        if not compare_digest(signature, self._signature(body, owner)):
            raise SecurityError("its signature does not fit: it was changed, or the keys differ")
        return body

    def _signature(self, data: bytes, owner: Iterable[str]) -> bytes:
        # Each part follows its length, so that ("ab", "c") differs from ("a", "bc").
        parts = [_VERSION]
        for name in owner:
            raw = name.encode()
            parts += (b"%d:" % len(raw), raw)
        return digest(self._key, b"".join([*parts, b"\n", data]), "sha256")
