"""How many cores a process may keep busy: affinity, hyperthreads, a container's quota."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxcert.model.runtime import machine


def topology(root: Path, siblings: dict[int, str]) -> Path:
    for cpu, shared in siblings.items():
        folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{shared}\n")
    return root


def written(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_two_threads_of_a_core_count_once(tmp_path: Path) -> None:
    root = topology(tmp_path, {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"})
    assert machine._physical({0, 1, 2, 3}, root) == 2
    assert machine._physical({0, 2}, root) == 1
    assert machine._physical({0, 1}, root) == 2


def test_where_nobody_tells_every_cpu_is_a_core(tmp_path: Path) -> None:
    assert machine._physical({0, 1, 5}, tmp_path) == 3


@pytest.mark.parametrize(
    ("outer", "inner", "granted"),
    [
        ("max 100000", "max 100000", None),
        ("max 100000", "250000 100000", 2.5),
        ("150000 100000", "max 100000", 1.5),
        ("150000 100000", "400000 100000", 1.5),
    ],
)
def test_the_smallest_quota_of_all_groups_above_counts(
    tmp_path: Path, outer: str, inner: str, granted: float | None
) -> None:
    root = tmp_path / "sys/fs/cgroup"
    written(root / "jobs", cpu__max=outer)
    written(root / "jobs" / "mine", cpu__max=inner)
    written(tmp_path / "proc/self", cgroup="0::/jobs/mine")
    assert machine._quota(tmp_path) == granted


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    root = tmp_path / "sys/fs/cgroup"
    written(root / "cpu" / "job", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    written(root / "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    written(tmp_path / "proc/self", cgroup="5:cpuset:/other\n3:cpu,cpuacct:/job")
    assert machine._quota(tmp_path) == 3.0


def test_no_control_groups_no_quota(tmp_path: Path) -> None:
    assert machine._quota(tmp_path) is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 4), (2.5, 2), (0.5, 1), (16.0, 4)])
def test_cores_are_within_the_quota_and_never_none(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(machine, "_quota", lambda: quota)
    monkeypatch.setattr(machine, "_physical", lambda: 4)
    assert machine.available_cores() == expected
