"""Signatures, by which bytes that another program could have written are refused undecoded.

A signature covers the bytes and what they belong to, so that those of one task are not accepted
for another.
"""

import json
from hashlib import sha256
from hmac import compare_digest, digest

from ..exceptions import ImproperlyConfigured, SecurityError
from .base import SIGNED

Subject = tuple[str | int | bool | None, ...]
"""Identify what signed bytes are, whose they are, and where they may stand."""

_FIRST_VERSION = b"LQ1\n"  # it did not say what a result is, nor in which store
_SIZE = 32  # bytes of the signature, which follows the version
_SHORTEST_KEY = 32

_encode = json.JSONEncoder(separators=(",", ":")).encode


def unverified(data: bytes) -> bytes:
    """Return what may have been signed, without its signature: only to be shown."""
    return data[len(SIGNED) + _SIZE :] if data.startswith(SIGNED) else data


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

    def sign(self, data: bytes, subject: Subject) -> bytes:
        """Return `data` with a signature over it and `subject`, which it belongs to."""
        return b"%b%b%b" % (SIGNED, self._signature(data, subject), data)

    def verified(self, data: bytes, subject: Subject) -> bytes:
        """Return the bytes that `sign` was given with the same `subject`.

        Raises SecurityError when they are not signed, or the signature does not fit.
        """
        if data.startswith(_FIRST_VERSION):
            raise SecurityError(
                "it was signed by an earlier version of liteq, which said less of what it "
                "belongs to: send it again"
            )
        if not data.startswith(SIGNED):
            raise SecurityError("it is not signed")
        start = len(SIGNED)
        signature, body = data[start : start + _SIZE], data[start + _SIZE :]
        if not compare_digest(signature, self._signature(body, subject)):
            raise SecurityError(
                "its signature does not fit: it was changed, it belongs elsewhere, or the keys "
                "differ"
            )
        return body

    def _signature(self, data: bytes, subject: Subject) -> bytes:
        # JSON on one line, so that no part of it can be taken for another part, nor for data.
        signed = b"%b%b\n%b" % (SIGNED, _encode(subject).encode(), data)
        return digest(self._key, signed, "sha256")
