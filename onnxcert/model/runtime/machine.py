"""What a process may use of this machine: CPU cores, and free memory.

Containers and batch schedulers limit a process by control groups. psutil does not read them, and
loky reads only the root group and rounds a quota of 2.5 cores up to 3, so both are read here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from onnxcert.errors import InputError

# Least bytes per value of an input: the input, the current draw, and the next draw, which is
# written while the model runs.
_A_VALUE: Final = 4 + 2 * 4
_SMALL: Final = 2**26  # bytes; every machine has these
_ROOT: Final = Path("/")


def available_cores() -> int:
    """Return the number of usable cores: physical, within the affinity mask and the CPU quota.

    The two threads of a hyperthreaded core share its arithmetic units, so such a pair counts once.
    A container may have a smaller quota than the cores it sees; with more threads than the quota,
    all of them are stopped until the next period.
    """
    cores, quota = _physical(), _quota()
    return cores if quota is None else max(1, min(cores, int(quota)))


def refuse_too_large(values: int, called: str, memory: HostMemory | None = None) -> None:
    """Raise InputError if the draws of the input `called` do not fit in the free memory.

    The memory of the model itself is not included; it is not known here.
    """
    needed = _A_VALUE * values
    free = (memory or HostMemory()).free() if needed > _SMALL else None
    if free is not None and needed > free:
        raise InputError(
            f"{called}: its draws need at least {needed / 2**30:.1f} GiB of memory, but only "
            f"{free / 2**30:.1f} GiB are free; cut it into tiles, make it smaller or free memory."
        )


@final
@dataclass(frozen=True)
class HostMemory:
    """Memory of this machine, or the part of it that this process may use.

    Attributes:
        root: root of the system's files; tests change it.
    """

    root: Path = _ROOT

    def free(self) -> int | None:
        """Return the free bytes without swapping, at most what the control groups allow.

        The system kills a process that exceeds them. Droppable file pages count as free.

        Returns:
            None if unknown.
        """
        left = [_available(self.root), self._addresses()]
        left += [_left(group) for group in _control_groups(self.root, "memory")]
        known = [number for number in left if number is not None]
        return max(0, min(known)) if known else None

    def held(self) -> int | None:
        """Return the bytes that this process holds, passes included, or None if unknown."""
        try:
            return self._pages(1) * int(os.sysconf("SC_PAGE_SIZE"))
        except (OSError, ValueError, IndexError, AttributeError):
            return None

    def _addresses(self) -> int | None:
        """Return the bytes that `ulimit -v` leaves to this process, or None without a limit."""
        try:
            import resource  # not on Windows

            limit = resource.getrlimit(resource.RLIMIT_AS)[0]
            used = self._pages(0) * resource.getpagesize()
        except (ImportError, OSError, ValueError, IndexError):
            return None
        return None if limit == resource.RLIM_INFINITY else limit - used

    def _pages(self, i: int) -> int:
        return int((self.root / "proc/self/statm").read_text().split()[i])


def _physical(cpus: set[int] | None = None, root: Path = _ROOT) -> int:
    """Return the number of physical cores among `cpus`; all count where the topology is unknown."""
    if cpus is None:
        has_mask = hasattr(os, "sched_getaffinity")
        cpus = set(os.sched_getaffinity(0) if has_mask else range(os.cpu_count() or 1))
    siblings = (root / f"sys/devices/system/cpu/cpu{cpu}/topology" for cpu in cpus)
    try:
        cores = {(folder / "thread_siblings_list").read_text().strip() for folder in siblings}
    except OSError:
        return max(1, len(cpus))
    return max(1, len(cores))


def _quota(root: Path = _ROOT) -> float | None:
    """Return the CPU quota of the control groups in cores, or None for no limit."""
    found = (_granted(group) for group in _control_groups(root, "cpu"))
    return min((limit for limit in found if limit is not None), default=None)


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the control groups (version 2 or 1) of this process, from its own up to the top.

    Every parent group limits, too. In a container the path may lead outside what it sees.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / (controller if controllers else "")
        group = top / path.strip("/")
        yield from (each for each in (group, *group.parents) if each.is_relative_to(top))


def _granted(folder: Path) -> float | None:
    """Return the cores that a control group grants, or None for no limit."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return int(quota) / int(period) if quota.isdecimal() and int(period) > 0 else None
    except (OSError, ValueError):
        return None


def _available(root: Path) -> int | None:
    try:
        for line in (root / "proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name == "MemAvailable":
                return int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _left(group: Path) -> int | None:
    """Return the bytes that a control group still allows, or None for no limit."""
    for limit, used, droppable in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most = int((group / limit).read_text())  # "max" where there is no limit
            taken = int((group / used).read_text())
            lines = (group / "memory.stat").read_text().splitlines()
            facts = dict(line.split()[:2] for line in lines)
            return most - taken + int(facts.get(droppable, 0))
        except (OSError, ValueError):
            continue
    return None
