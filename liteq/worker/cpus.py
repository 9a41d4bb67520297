"""The number of CPUs this process may use: the container's quota counts, not the machine."""

import math
import os


def usable_cpus() -> int:
    """Return the size of the affinity mask, limited by the cgroup's quota; at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _quota()
    return max(1, min(count or 1, quota or math.inf).__ceil__())


def _quota() -> float | None:
    """Return the CPUs of the cgroup's quota (version 2, then 1); None where there is no limit."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            limit, period = file.read().split()
            return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        with (
            open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as quota,
            open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as period_file,
        ):
            limit_us = int(quota.read())
            return None if limit_us < 0 else limit_us / int(period_file.read())
    except (OSError, ValueError):
        return None
