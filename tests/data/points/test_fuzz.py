"""Damaged bytes of every format: a cloud or one InputError, in bounded time and memory.

`ONNXCERT_FUZZ=10000` gives the number of damaged files of the long form; without it, a short one.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from cloud_writers import every_format, hdf5, npy, shape, table, text
from data.test_fuzz import FILES, fuzz

from onnxcert.data.points import (
    PointCloud,
    count_points,
    describe_duplicates,
    list_clouds,
    list_shapenet_part,
    normalise,
    read_cloud,
    read_cloud_labels,
    resample,
)
from onnxcert.errors import InputError

pytestmark = pytest.mark.slow

CLOUD = shape(30)
WRITTEN = every_format(CLOUD)
MANY = np.stack([shape(30, seed).points for seed in range(3)])
PACKED = {"compression": "gzip", "shuffle": True, "fletcher32": True}


def use(path: Path, name: str) -> None:
    columns = WRITTEN[name][1] if name in WRITTEN else None
    size: int | None
    try:
        size = count_points(path)
    except InputError:
        size = None
    cloud = read_cloud(path, columns=columns)
    assert size in (None, len(cloud))
    use_cloud(cloud)


def use_cloud(cloud: PointCloud) -> None:
    """What follows must bear with every cloud that was read."""
    describe_duplicates(cloud)
    if (cloud.points == cloud.points[0]).all():
        return
    inside = normalise(cloud, "unit-sphere")
    assert np.abs(inside.points).max() < 1 + 1e-6
    assert len(resample(inside, 20, fill=True)) == 20


def use_shapes(path: Path, name: str) -> None:  # noqa: ARG001
    for item in list_clouds([str(path)], None).items[:4]:
        try:
            use_cloud(read_cloud(item.path, index=item.index))
        except InputError as error:
            raise InputError(str(error).replace(f", shape {item.index}:", ":")) from error


def files(*suffixes: str) -> dict[str, bytes]:
    return {name: data for name, (data, _) in WRITTEN.items() if name.endswith(suffixes)}


@pytest.mark.parametrize(
    ("suffixes", "seed"),
    [((".txt", ".xyz", ".pts"), 1), ((".npy", ".npz"), 2), ((".ply",), 3), ((".h5", ".hdf5"), 4)],
    ids=["text", "numpy", "ply", "hdf5"],
)
def test_damaged_clouds(tmp_path: Path, suffixes: tuple[str, ...], seed: int) -> None:
    fuzz(tmp_path, files(*suffixes), use, FILES // 3, seed)


def test_damaged_files_of_many_shapes(tmp_path: Path) -> None:
    several = {
        "plain.h5": hdf5(data=MANY, pid=np.zeros((3, 30), int), label=np.zeros((3, 1), int)),
        "packed.h5": hdf5({"libver": "latest"}, data=(MANY, PACKED), normal=(MANY, PACKED)),
    }
    fuzz(tmp_path, several, use_shapes, FILES // 3, seed=5)


def test_damaged_labels(tmp_path: Path) -> None:
    labels = np.arange(30)
    some = {"x.npy": npy(labels), "x.txt": b"# parts\n" + text(labels[:, None])}

    def use_labels(path: Path, name: str) -> None:  # noqa: ARG001
        assert read_cloud_labels(path, 30).shape == (30,)

    fuzz(tmp_path, some, use_labels, FILES // 3, seed=6)


@pytest.mark.parametrize("damaged", ["shuffled_test_file_list.json", "synsetoffset2category.txt"])
def test_damaged_lists_of_shapes(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "train_test_split/shuffled_test_file_list.json"
    names = {f"{i:x}": f"shape_data/03001627/{i:x}" for i in range(40)}
    (tmp_path / "03001627").mkdir()
    path.parent.mkdir()
    for name in names:
        (tmp_path / f"03001627/{name}.txt").write_bytes(text(table(CLOUD, rgb=False)))
    good = {
        path: json.dumps([*names.values()]).encode(),
        tmp_path / "synsetoffset2category.txt": b"Airplane\t02691156\nChair\t03001627\n",
    }
    for file, data in good.items():
        file.write_bytes(data)
    target = next(file for file in good if file.name == damaged)

    def use_list(written: Path, name: str) -> None:  # noqa: ARG001
        target.write_bytes(written.read_bytes())
        try:
            listing = list_shapenet_part([str(tmp_path)], None)
        except InputError as error:
            # Whichever of the two shows the damage is named.
            start, _, said = str(error).partition(": expected ")
            if start not in map(str, (*good, tmp_path)):
                raise
            raise InputError(f"{written}: expected {said}") from error
        assert all(item.path.parent == tmp_path / "03001627" for item in listing.items)

    fuzz(tmp_path, {f"x{target.suffix}": good[target]}, use_list, FILES // 6, seed=7)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_file_cut_anywhere_is_whole_or_refused(tmp_path: Path, name: str) -> None:
    data, columns = WRITTEN[name]
    path = tmp_path / name
    counted = not name.endswith((".txt", ".xyz"))
    for cut in sorted({*range(0, len(data), 29), *range(len(data) - 20, len(data))}):
        path.write_bytes(data[:cut])
        try:
            cloud = read_cloud(path, columns=columns)
        except InputError:
            continue
        # Plain lines do not tell how many there should be; all other formats do.
        many = len(cloud)
        assert many == len(CLOUD) or not counted
        whole = many - (not counted)
        np.testing.assert_array_equal(cloud.points[:whole], CLOUD.points[:whole])


def header(count: int) -> bytes:
    """The start of a `.npy` file of `count` points."""
    words = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, 3), }}"
    return b"\x93NUMPY\1\0" + (118).to_bytes(2, "little") + words.ljust(117).encode() + b"\n"


@pytest.mark.parametrize("count", [10_000_001, 2**31, 2**40, 2**62])
def test_a_header_of_many_points_is_given_no_memory(tmp_path: Path, count: int) -> None:
    head = f"element vertex {count}\n" + "".join(f"property float {c}\n" for c in "xyz")
    some = {"x.npy": header(count) + bytes(99)}
    for kind in ("ascii", "binary_little_endian"):
        some[f"{kind}.ply"] = f"ply\nformat {kind} 1.0\n{head}end_header\n0 0 0\n".encode()
    for name, data in some.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"at most 10,000,000|damaged"):
            read_cloud(path)


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name, data in members.items():
            target.writestr(f"{name}.npy", data)
    return out.getvalue()


def test_an_archive_that_asks_for_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for members, said in (
        ({"points": header(9_000_000) + bytes(99)}, r"names \(9000000, 3\)"),
        ({"points": header(2**62) + bytes(99)}, "at most 10,000,000 points"),
        ({f"x{i}": b"" for i in range(1001)}, "1,001 members"),
    ):
        path.write_bytes(archive(members))
        with pytest.raises(InputError, match=said):
            read_cloud(path)


def test_an_hdf5_file_that_asks_for_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    for extent, chunks, said in (
        ((10, 20, 3), (100, 1_000_000, 3), "chunks of 1,144 MiB"),
        ((100_001, 20, 3), (1, 20, 3), "it holds 100,001"),
        ((10, 10_000_001, 3), (1, 20, 3), "10,000,001 points"),
        ((1, 9_000_000, 12), (1, 20, 12), "of 12 numbers each"),
    ):
        with h5py.File(path, "w") as file:
            file.create_dataset("data", extent, "f4", chunks=chunks, maxshape=(None, None, None))
        with pytest.raises(InputError, match=said):
            read_cloud(path, index=0)
    with h5py.File(path, "w") as file:
        for number in range(1001):
            file[f"{number}"] = 0
    with pytest.raises(InputError, match="1,001 members"):
        read_cloud(path)
