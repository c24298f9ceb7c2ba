"""Free and used memory for running a model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, final

from onnxcert.errors import InputError

# Least bytes per value of an input: the input, the current draw, and the next draw, which is
# written while the model runs.
_A_VALUE: Final = 4 + 2 * 4
_SMALL: Final = 2**26  # bytes; every machine has these


def refuse_too_large(values: int, called: str, memory: Memory | None = None) -> None:
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


class Memory(Protocol):
    """Memory that passes of a model use: this machine's, or a device's."""

    def free(self) -> int | None:
        """Return the free bytes, or None if unknown."""
        ...

    def held(self) -> int | None:
        """Return the bytes that this process holds, passes included, or None if unknown."""
        ...


@final
@dataclass(frozen=True)
class HostMemory:
    """Memory of this machine, or the part of it that this process may use.

    Attributes:
        root: root of the system's files; tests change it.
    """

    root: Path = Path("/")

    def free(self) -> int | None:
        """Return the free bytes without swapping, at most what the control groups allow.

        Containers and batch schedulers limit a process by control groups, and the system kills a
        process that exceeds them. Droppable file pages count as free.
        """
        left = [_available(self.root), self._addresses()]
        left += [_left(group) for group in self._groups()]
        known = [number for number in left if number is not None]
        return max(0, min(known)) if known else None

    def _addresses(self) -> int | None:
        """Return the bytes that `ulimit -v` leaves to this process, or None without a limit."""
        try:
            import resource  # not on Windows

            limit = resource.getrlimit(resource.RLIMIT_AS)[0]
            pages = int((self.root / "proc/self/statm").read_text().split()[0])
        except (ImportError, OSError, ValueError, IndexError):
            return None
        return None if limit == resource.RLIM_INFINITY else limit - pages * resource.getpagesize()

    def held(self) -> int | None:
        try:
            pages = int((self.root / "proc/self/statm").read_text().split()[1])
            return pages * int(os.sysconf("SC_PAGE_SIZE"))
        except (OSError, ValueError, IndexError, AttributeError):
            return None

    def _groups(self) -> Iterator[Path]:
        """Yield the control groups of this process, from its own up to the root it sees."""
        top = self.root / "sys/fs/cgroup"
        try:
            lines = (self.root / "proc/self/cgroup").read_text().splitlines()
        except OSError:
            lines = []
        for line in lines:
            _, _, rest = line.partition(":")
            kinds, _, below = rest.partition(":")
            if kinds and "memory" not in kinds.split(","):
                continue
            start = (top / "memory" if kinds else top) / below.strip("/")
            for group in (start, *start.parents):
                yield group
                if group in (top, top / "memory"):
                    break


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
    """Return the bytes that a control group (version 2 or 1) still allows, or None for no limit."""
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
