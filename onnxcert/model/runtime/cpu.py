"""CPU cores available to this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_CPUS: Final = Path("/sys/devices/system/cpu")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_MEMBERSHIP: Final = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Return the number of usable cores: physical, within the affinity mask and the CPU quota.

    The two threads of a hyperthreaded core share its arithmetic units, so such a pair counts once.
    A container may have a smaller quota than the cores it sees; with more threads than the quota,
    all of them are stopped until the next period.
    """
    cores = _physical(_allowed())
    quota = _quota()
    return cores if quota is None else max(1, min(cores, int(quota)))


def _allowed() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def _physical(cpus: set[int], root: Path = _CPUS) -> int:
    """Return the number of physical cores among `cpus`; all count where the topology is unknown."""
    cores = set()
    for cpu in cpus:
        try:
            shared = (root / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip()
        except OSError:
            return max(1, len(cpus))
        cores.add(shared)
    return max(1, len(cores))


def _quota(root: Path = _CGROUPS, membership: Path = _MEMBERSHIP) -> float | None:
    """Return the CPU quota of the control groups (version 2 or 1) in cores; None for no limit."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root if not controllers else root / "cpu"
        group = top / path.lstrip("/")
        # Every parent group limits, too. In a container the path may lead outside what it sees.
        for folder in (group, *group.parents):
            if folder.is_relative_to(top):
                found.append(_granted(folder))
    limits = [limit for limit in found if limit is not None]
    return min(limits, default=None)


def _granted(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return int(quota) / int(period) if quota.isdecimal() and int(period) > 0 else None
    except (OSError, ValueError):
        return None
