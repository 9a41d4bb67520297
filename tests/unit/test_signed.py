"""Signatures of messages."""

import pytest

from liteq.exceptions import ImproperlyConfigured, SecurityError
from liteq.serializers.signed import Signer, Subject

KEY = "k" * 32


def test_signed_bytes_are_verified() -> None:
    signed = Signer(KEY).sign(b"\0data", ("queue", "id", None, 1))

    assert Signer(KEY.encode()).verified(signed, ("queue", "id", None, 1)) == b"\0data"


OTHERS: list[Subject] = [
    ("queue", "other", None, 1),
    ("queuei", "d", None, 1),
    ("queue", "id", "", 1),
    ("queue", "id", "null", 1),
    ("queue", "id", None, "1"),
    ("queue", "id", None, True),
    ("queue", "id", None),
    ("queue",),
    (),
]


@pytest.mark.parametrize("subject", OTHERS, ids=str)
def test_a_signature_is_valid_only_for_its_subject(subject: Subject) -> None:
    signed = Signer(KEY).sign(b"data", ("queue", "id", None, 1))

    with pytest.raises(SecurityError, match="does not fit"):
        Signer(KEY).verified(signed, subject)


def test_no_part_of_a_subject_is_taken_for_data() -> None:
    signed = Signer(KEY).sign(b'"b"]\ndata', ("a",))

    with pytest.raises(SecurityError, match="does not fit"):
        Signer(KEY).verified(signed[:-4] + b"data", ("a", "b"))


def test_what_an_earlier_version_signed_is_refused_with_the_cure() -> None:
    with pytest.raises(SecurityError, match=r"earlier version of liteq.*send it again"):
        Signer(KEY).verified(b"LQ1\n" + bytes(32) + b"data", ("id",))


def test_every_changed_byte_is_noticed() -> None:
    signed = Signer(KEY).sign(b"data", ("id",))

    for at in range(len(signed)):
        changed = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
        with pytest.raises(SecurityError):
            Signer(KEY).verified(changed, ("id",))


def test_another_key_is_refused() -> None:
    with pytest.raises(SecurityError, match="the keys differ"):
        Signer("x" * 32).verified(Signer(KEY).sign(b"data", ("id",)), ("id",))


def test_bytes_without_a_signature_are_refused() -> None:
    with pytest.raises(SecurityError, match="not signed"):
        Signer(KEY).verified(b'[[1], {"a": 2}]', ("id",))


def test_a_short_key_is_refused_with_the_cure() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"secrets\.token_hex"):
        Signer("secret")
