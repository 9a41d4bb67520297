"""Secrets in URLs."""

import pytest

from liteq.support.urls import has_secrets, safe_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:hush@host/0", "redis://:***@host/0"),
        ("redis://me:hush@host:6379/0", "redis://me:***@host:6379/0"),
        ("rediss://me:h/u@s?h#@host/0", "rediss://me:***@host/0"),
        ("redis+sentinel://me:hush@one,two:26379/name/0", "redis+sentinel://me:***@one,two:26379/name/0"),
        ("unix://:hush@/run/redis.sock?db=1", "unix://:***@/run/redis.sock?db=1"),
        ("redis://host:6379/0?password=h@sh&db=1", "redis://host:6379/0?password=***&db=1"),
        ("redis://host/0?ssl_passphrase=hush", "redis://host/0?ssl_passphrase=***"),
        ("redis://host/0?db=1&auth_token=hush", "redis://host/0?db=1&auth_token=***"),
        ("redis:/me:hush@host/0", "redis:/me:***@host/0"),
        ("redis//me:hush@host/0", "redis//me:***@host/0"),
        ("redis:me:hush@host/0", "redis:me:***@host/0"),
        ("//me:hush@host/0", "//me:***@host/0"),
        ("sqlite://me:hush@host/x.db", "sqlite://me:***@host/x.db"),
        ("redis://me:a@b/c:d@host/0", "redis://me:***@host/0"),
        ("redis://me:hu\nsh@host/0", "redis://me:***@host/0"),
        ("redis://host/0?my-password=hush", "redis://host/0?my-password=***"),
    ],
)  # fmt: skip
def test_secrets_are_masked(url: str, shown: str) -> None:
    assert safe_url(url) == shown
    assert has_secrets(url)


@pytest.mark.parametrize(
    "url", ["sqlite:///C:/a@b.db", "sqlite:////a/b.db?durability=fast", "redis://host:6379/0", ""]
)
def test_a_url_without_secrets_is_unchanged(url: str) -> None:
    assert safe_url(url) == url
    assert not has_secrets(url)
