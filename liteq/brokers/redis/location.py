"""URLs of Redis stores."""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ...exceptions import ConfigurationError
from ...support.nearest import did_you_mean
from ...support.urls import safe_url

# By scheme: what kind of server it is.
SCHEMES = {
    "redis": "server",
    "rediss": "server",
    "unix": "server",
    "redis+socket": "server",
    "valkey": "server",
    "valkeys": "server",
    "redis+sentinel": "sentinel",
    "redis+cluster": "cluster",
}
_PORTS = {"sentinel": 26379}
_NAME = re.compile(r"[\w.-]+")
_TLS = ("ca_certs", "certfile", "keyfile", "cert_reqs", "check_hostname")
_OWN = ("name", "db", "timeout", "connect_timeout", "wait_replicas", "sentinel_password", "tls")
_ALIASES = {"virtual_host": "db", **{f"ssl_{name}": name for name in _TLS}}  # as Celery's URLs say
_CERT_REQS = ("none", "optional", "required")
_SOCKETS = ("unix", "redis+socket")
_FLAGS = {"": True, "1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class Host(NamedTuple):
    """A host and the port on which a server listens."""

    name: str
    port: int


class RedisLocation(NamedTuple):
    """A store on a Redis server, and how it is reached."""

    address: str  # the whole URL
    url: str  # the same with its secrets masked
    kind: str  # server, sentinel, cluster
    hosts: tuple[Host, ...]  # of the server, of sentinels, or of some nodes
    socket: str | None = None  # path of a Unix socket
    master: str | None = None  # the name that the sentinels have for it
    db: int = 0
    username: str | None = None
    password: str | None = None
    sentinel_password: str | None = None
    tls: dict[str, str | bool] | None = None  # None: no TLS
    name: str = ""  # for one of several stores in the same database
    timeout: float = 5.0  # seconds until a reply must have come
    connect_timeout: float = 2.0  # seconds
    wait_replicas: int = 0  # how many must have an enqueued task before `enqueue` returns

    @property
    def prefix(self) -> str:
        """Return what all keys begin with. The braces put them into one slot of a cluster."""
        return f"{{liteq:{self.name}}}" if self.name else "{liteq}"

    @property
    def identity(self) -> str:
        """Return what signatures call the store.

        It is the same by every URL that leads there, to its replicas and its backups, and does not
        come from the server. So it tells the stores on one server apart, but not two servers.
        """
        return f"{self.db}/{self.prefix}"


def locate(url: str) -> RedisLocation:
    """Parse the URL of a Redis store; see docs/guides/redis.md. Raises ConfigurationError."""
    shown = safe_url(url)
    parts = urlsplit(url)
    kind = SCHEMES[parts.scheme]
    options = _options(parts, shown)
    user, _, hosts = parts.netloc.rpartition("@")
    username, _, password = user.partition(":")
    path, master = parts.path, None
    if kind == "sentinel":
        master, _, path = path.strip("/").partition("/")
        if not master:
            raise ConfigurationError(
                f"{shown!r} does not name the master, as the sentinels do: write "
                f"redis+sentinel://host1,host2/name"
            )
    if kind == "cluster" and "wait_replicas" in options:
        raise ConfigurationError(f"{shown!r}: wait_replicas is not for clusters")
    socket = unquote(path) if parts.scheme in _SOCKETS else None
    return RedisLocation(
        address=url,
        url=shown,
        kind=kind,
        hosts=() if socket else _hosts(hosts, _PORTS.get(kind, 6379), shown),
        socket=socket,
        master=master,
        db=_number(options.get("db", "" if socket else path.strip("/")) or "0", "database", shown),
        username=unquote(username) or None,
        password=unquote(password) or None,
        sentinel_password=options.get("sentinel_password"),
        tls=_tls(parts.scheme, options, shown),
        name=_name(options.get("name", ""), shown),
        timeout=_seconds(options, "timeout", 5.0, shown),
        connect_timeout=_seconds(options, "connect_timeout", 2.0, shown),
        wait_replicas=_number(options.get("wait_replicas", "0"), "wait_replicas", shown),
    )


def _options(parts: SplitResult, shown: str) -> dict[str, str]:
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    options = {_ALIASES.get(name, name): value for name, value in given.items()}
    known = (*_OWN, *_TLS)
    for name in options:
        if name not in known:
            hint = did_you_mean(name, known, f"; known are {', '.join(known)}")
            raise ConfigurationError(f"unknown option {name!r} in {shown!r}{hint}")
    return options


def _hosts(text: str, default_port: int, shown: str) -> tuple[Host, ...]:
    found = []
    for each in text.split(",") if text else ["localhost"]:
        name, _, port = each.rpartition(":") if re.search(r":\d+$", each) else (each, "", "")
        found.append(
            Host(name.strip("[]") or "localhost", _number(port or str(default_port), "port", shown))
        )
    return tuple(found)


def _tls(scheme: str, options: dict[str, str], shown: str) -> dict[str, str | bool] | None:
    if not _flag("tls", options.get("tls", "0"), shown) and scheme not in ("rediss", "valkeys"):
        return None
    found: dict[str, str | bool] = {name: options[name] for name in _TLS if name in options}
    if "cert_reqs" in options:
        found["cert_reqs"] = _cert_reqs(options["cert_reqs"], shown)
        if found["cert_reqs"] == "none":
            found["check_hostname"] = False  # a name that nobody certifies says nothing
    if "check_hostname" in options:
        found["check_hostname"] = _flag("check_hostname", options["check_hostname"], shown)
    return found


def _cert_reqs(value: str, shown: str) -> str:
    """Return what redis-py calls CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED."""
    name = value.lower().removeprefix("cert_")
    if name not in _CERT_REQS:
        raise ConfigurationError(
            f"cert_reqs={value!r} in {shown!r}: write one of {', '.join(_CERT_REQS)}"
        )
    return name


def _flag(name: str, value: str, shown: str) -> bool:
    if value.lower() not in _FLAGS:
        raise ConfigurationError(f"{name}={value!r} in {shown!r}: write 1 or 0")
    return _FLAGS[value.lower()]


def _name(name: str, shown: str) -> str:
    if name and not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"name={name!r} in {shown!r}: only letters, digits, dot, dash and underscore"
        )
    return name


def _number(text: str, what: str, shown: str) -> int:
    if not text.isdecimal():
        raise ConfigurationError(f"{what} {text!r} in {shown!r} is not a number")
    return int(text)


def _seconds(options: dict[str, str], name: str, default: float, shown: str) -> float:
    try:
        seconds = float(options.get(name, default))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise ConfigurationError(f"{name}={options[name]!r} in {shown!r}: give it in seconds")
    return seconds
