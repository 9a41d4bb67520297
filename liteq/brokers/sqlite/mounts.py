"""The kind of file system that a file is on."""

import os

_BETWEEN_MACHINES = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs"}
    | {"nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "wekafs"}
)
# A folder of the host in a virtual machine or a container: programs of the two share no locks.
_FROM_THE_HOST = frozenset({"9p", "drvfs", "osxfs", "prl_fs", "vboxsf", "virtiofs", "vmhgfs"})
_BY_FUSE = frozenset(
    {"blobfuse", "blobfuse2", "ceph-fuse", "cephfs", "curlftpfs", "gcsfuse", "glusterfs", "goofys"}
    | {"grpcfuse", "gvfsd-fuse", "juicefs", "lizardfs", "mfs", "mount-s3", "osxfs", "prl_fsd"}
    | {"quobyte", "rclone", "s3fs", "s3ql", "seaweedfs", "smbnetfs", "sshfs", "vmhgfs-fuse"}
)
NETWORK = _BETWEEN_MACHINES | _FROM_THE_HOST | {f"fuse.{kind}" for kind in _BY_FUSE}

_kinds: dict[int, str] = {}  # by device, as far as they were looked up


def network_file_system(path: str) -> str | None:
    """Return the kind of network file system that `path` is on; None: a local or unknown one.

    One that a virtual machine or a container has from its host counts as one, too.
    """
    if path.startswith("\\\\"):  # Windows: \\server\share
        return "a Windows share"
    kind = file_system_of(path)
    return kind if kind in NETWORK else None


def file_system_of(path: str) -> str | None:
    """Return the kind of file system that `path` is on, as `mount` names it; None: unknown."""
    try:
        device = os.stat(os.path.dirname(path) or ".").st_dev
        if device not in _kinds:  # perhaps it was mounted since the last time
            with open("/proc/self/mountinfo") as file:
                _kinds.update(parse_mountinfo(file.read()))
    except OSError:
        return None
    return _kinds.get(device)


def parse_mountinfo(mountinfo: str) -> dict[int, str]:
    """Return the kinds of file systems by device, from the text of /proc/self/mountinfo."""
    kinds = {}
    for line in mountinfo.splitlines():
        # 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw
        fields, _, rest = line.partition(" - ")
        major, _, minor = fields.split()[2].partition(":")
        kinds[os.makedev(int(major), int(minor))] = rest.split()[0]
    return kinds
