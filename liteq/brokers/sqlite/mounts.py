"""The kind of file system that a file is on."""

import os
from functools import cache

NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.glusterfs", "fuse.sshfs"}
    | {"gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs"}
)


def network_file_system(path: str) -> str | None:
    """Return the kind of network file system that `path` is on; None: a local or unknown one."""
    if path.startswith("\\\\"):  # Windows: \\server\share
        return "a Windows share"
    kind = file_system_of(path)
    return kind if kind in NETWORK else None


def file_system_of(path: str) -> str | None:
    """Return the kind of file system that `path` is on, as `mount` names it; None: unknown."""
    try:
        return _kinds().get(os.stat(os.path.dirname(path) or ".").st_dev)
    except OSError:
        return None


@cache
def _kinds() -> dict[int, str]:
    try:
        with open("/proc/self/mountinfo") as file:
            return parse_mountinfo(file.read())
    except OSError:
        return {}


def parse_mountinfo(mountinfo: str) -> dict[int, str]:
    """Return the kinds of file systems by device, from the text of /proc/self/mountinfo."""
    kinds = {}
    for line in mountinfo.splitlines():
        # 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw
        fields, _, rest = line.partition(" - ")
        major, _, minor = fields.split()[2].partition(":")
        kinds[os.makedev(int(major), int(minor))] = rest.split()[0]
    return kinds
