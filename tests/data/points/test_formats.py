"""One cloud comes back from every format; what a file does not say is not made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from cloud_writers import every_format, hdf5, npy, npz, ply, shape, table, text
from refusals import one_sentence

from onnxcert.data.points import PointCloud, count_points, count_shapes, read_cloud
from onnxcert.errors import InputError, ParameterError

CLOUD = shape()
FILES = every_format(CLOUD)
assert CLOUD.normals is not None
assert CLOUD.features is not None
assert CLOUD.labels is not None


def refused(path: Path, data: bytes, columns: str | None = None, index: int | None = None) -> str:
    path.write_bytes(data)
    with one_sentence(InputError) as caught:
        read_cloud(path, columns=columns, index=index)
    message = str(caught.value)
    assert message.startswith(f"{path}" + ("" if index is None else f", shape {index}"))
    assert "expected" in message
    return message


def same(one: Any, other: Any) -> None:
    np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_cloud(tmp_path: Path, name: str) -> None:
    data, columns = FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    cloud = read_cloud(path, columns=columns)
    same(cloud.points, CLOUD.points)
    same(cloud.normals, CLOUD.normals)
    same(cloud.features, CLOUD.features)
    same(cloud.labels, CLOUD.labels)
    nameless = name in ("cloud.txt", "commas.xyz", "counted.pts", "single.npy", "latest.hdf5")
    assert cloud.category == ("" if nameless else "chair")
    assert count_points(path) == len(cloud)
    assert count_shapes(path) is None


@pytest.mark.parametrize("suffix", [".txt", ".npy"])
@pytest.mark.parametrize("width", [3, 6, 7])
def test_the_columns_of_the_field_need_no_description(
    tmp_path: Path, suffix: str, width: int
) -> None:
    rows = table(CLOUD, rgb=False)[:, :width]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(text(rows) if suffix == ".txt" else npy(rows.astype(np.float32)))
    cloud = read_cloud(path)
    same(cloud.points, CLOUD.points)
    assert (cloud.normals is None, cloud.labels is None) == (width < 6, width < 7)
    if width > 3:
        same(cloud.normals, CLOUD.normals)
    if width > 6:
        same(cloud.labels, CLOUD.labels)


@pytest.mark.parametrize("suffix", [".txt", ".npy"])
def test_other_columns_are_refused_until_they_are_described(tmp_path: Path, suffix: str) -> None:
    rows, path = table(CLOUD), tmp_path / f"x{suffix}"
    for some in (
        rows[:, :4],  # a class, or an intensity?
        rows[:, [0, 1, 2, 6, 7, 8]],  # colours
        rows[:, [0, 1, 2, 6, 7, 8, 9]],
        rows[:, [0, 1, 2, 3, 4, 5, 0]],  # the last is no class
        rows,
    ):
        data = text(some) if suffix == ".txt" else npy(some)
        assert "--columns" in refused(path, data)
    rows = rows[:, [9, 3, 6, 7, 8, 0, 1, 2]]
    path.write_bytes(text(rows) if suffix == ".txt" else npy(rows))
    cloud = read_cloud(path, columns="label, skip, RGB, xyz")
    same(cloud.points, CLOUD.points)
    same(cloud.features, CLOUD.features)
    same(cloud.labels, CLOUD.labels)
    assert cloud.normals is None
    same(read_cloud(path, columns="features,xyz").features, rows[:, :5].astype(np.float32))


@pytest.mark.parametrize("text", ["", "xy", "normals", "xyz,xyz", "xyz,label,label", "xyz;label"])
def test_a_description_that_is_none_is_a_wrong_flag(tmp_path: Path, text: str) -> None:
    with pytest.raises(ParameterError, match="--columns"):
        read_cloud(tmp_path / "x.txt", columns=text)


def test_a_description_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    rows = table(CLOUD, rgb=False)
    for columns in ("xyz", "xyz,normals,label,skip", "xyz,normals,label,features"):
        assert "7" in refused(tmp_path / "x.txt", text(rows), columns)
    assert "colours from 0 to 255" in refused(tmp_path / "x.txt", text(-rows), "xyz,rgb,label")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"0 0 0\n1 1\n", "line 2 has 2"),
        (b"# a\n\n0 0 0\n1 1 1 1\n", "line 4 has 4"),
        (b"0 0 0\n1 one 1\n", "line 2 has 'one'"),
        (b"x y z\n0 0 0\n", "line 1 has 'x'"),
        (b"0 0 0\n1 1_0 1\n", "line 2 has '1_0'"),
        (b"0 0 0\n1 1\xff 1\n", "line 2 has"),
        (b"0 0 0\n\n1 nan 1\n", "line 3 has nan"),
        (b"0 0 0\n1 1 -inf\n", "line 2 has -inf"),
        (b"0 0 0\n1 1 1e39\n", "line 2 has 1e+39"),
        (b"", "there are 0"),
        (b"# nothing\n\n", "there are 0"),
        (b"7\n", "there are 0"),
        (b"\n" * 1_100_000, "empty lines"),
        (b"3\n0 0 0\n1 1 1\n", "3 points, but there are 2"),
        (b"1\n2\n3\n", "line 2 has 1"),
        (b"0 0\n1 1\n", "line 1 has 2"),
        (b"0 0 0" + b" " * 20_000 + b"\n", "line 1 is longer"),
        (b"0 0 0 0 0 1 0.5\n" * 3, "not hold integers"),
        (b"7e6 0 0\n7000001 0 0\n7000000.01 0 0\n", "subtract an offset"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in refused(tmp_path / "x.txt", data)


def test_lines_are_counted_without_reading_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    for data in (b"# a\n\n0 0 0\n1 1 1 # b\n", b"\xef\xbb\xbf2\n0,0,0\nno,number,here"):
        path.write_bytes(data)
        assert count_points(path) == 2
    for data in (b"", b"7\n", b"\n" * 1_100_000):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"no points|empty lines"):
            count_points(path)


@pytest.mark.parametrize("value", ["0.5", "3e9", "-3e9"])
def test_a_class_is_a_whole_number(tmp_path: Path, value: str) -> None:
    message = refused(tmp_path / "x.txt", f"0 0 0 1\n1 1 1 {value}\n".encode(), "xyz,label")
    assert "line 2" in message
    assert "class" in message


def test_a_single_point_needs_no_extent(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"0.1 0.2 0.3\n")
    assert len(read_cloud(path)) == 1


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 4, 5)), "[3, 4, 5]"),
        (np.zeros(9), "[9]"),
        (np.zeros((5, 2)), "[5, 2]"),
        (np.zeros((0, 3)), "no points"),
        (np.zeros((4, 3), complex), "complex128"),
        (np.zeros((4, 3), bool), "bool"),
        (np.zeros((4, 3), "U5"), "<U5"),
        (np.array([[0, 0, 0], [0, np.nan, 0]]), "point 1 has nan"),
        (np.array([[0, 0, 0], [0, 1e300, 0]]), "point 1 has 1e+300"),
    ],
)
def test_arrays_that_are_no_cloud_are_refused(
    tmp_path: Path, array: npt.NDArray[Any], said: str
) -> None:
    assert said in refused(tmp_path / "x.npy", npy(array))
    assert said in refused(tmp_path / "x.npz", npz(points=array))


def test_arrays_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    points, path = CLOUD.points, tmp_path / "x.npz"
    for said, arrays in (
        ("normals", {"points": points, "normals": points[1:]}),
        ("features", {"points": points, "features": points[1:]}),
        ("features", {"points": points, "features": points[:, 0]}),
        ("colours", {"points": points, "rgb": points[:, :2]}),
        ("labels", {"points": points, "labels": np.zeros(41, int)}),
        ("class", {"points": points, "labels": np.full(40, 0.5)}),
        ("points and pos", {"points": points, "pos": points}),
        ("rename", {"p": points}),
        ("category", {"points": points, "category": "a" * 500}),
        ("category", {"points": points, "category": "a\nb"}),
        ("category", {"points": points, "category": ["a", "b"]}),
        ("labels once", {"points": table(CLOUD, rgb=False), "labels": CLOUD.labels}),
        ("save each once", {"points": table(CLOUD, rgb=False), "normals": CLOUD.normals}),
    ):
        assert said in refused(path, npz(**arrays))
        if "category" not in arrays:
            assert said in refused(path.with_suffix(".h5"), hdf5(**arrays))
    assert "object" in refused(path, npz(points=np.array([[None] * 3])))


def many() -> tuple[PointCloud, PointCloud]:
    return shape(seed=1), shape(seed=2)


def test_a_file_of_many_shapes_gives_each(tmp_path: Path) -> None:
    clouds, path = many(), tmp_path / "x.h5"
    path.write_bytes(
        hdf5(
            data=np.stack([c.points for c in clouds]),
            normal=np.stack([c.normals for c in clouds if c.normals is not None]),
            pid=np.stack([c.labels for c in clouds if c.labels is not None]),
            label=np.array([[4], [15]], np.uint8),
        )
    )
    assert count_shapes(path) == 2
    assert count_points(path) == 40
    for index, cloud in enumerate(clouds):
        read = read_cloud(path, index=index)
        same(read.points, cloud.points)
        same(read.normals, cloud.normals)
        same(read.labels, cloud.labels)
        assert read.category == ("4", "15")[index]
    data = path.read_bytes()
    assert "holds 2" in refused(path, data)
    assert "expected more than 2" in refused(path, data, index=2)


def test_labels_of_points_and_of_shapes_are_told_apart_by_their_number(tmp_path: Path) -> None:
    points, path = np.stack([c.points for c in many()]), tmp_path / "x.h5"
    path.write_bytes(hdf5(data=points, label=np.arange(80).reshape(2, 40)))
    labels = read_cloud(path, index=1).labels
    same(labels, np.arange(40, 80, dtype=np.int32))
    path.write_bytes(hdf5(data=points, label=np.array([3, 7])))
    read = read_cloud(path, index=1)
    assert (read.category, read.labels) == ("7", None)
    path.write_bytes(hdf5(data=points, category=np.array(["cap", "bag"], "S3")))
    assert read_cloud(path, index=0).category == "cap"
    assert "labels" in refused(path, hdf5(data=points, pid=np.zeros((2, 39))), index=0)
    assert "2 shapes" in refused(path, hdf5(data=points, pid=np.zeros((3, 40))), index=0)


def test_no_other_file_is_read_through_a_link(tmp_path: Path) -> None:
    import h5py

    path, other = tmp_path / "x.h5", tmp_path / "other.h5"
    other.write_bytes(hdf5(data=CLOUD.points))
    with h5py.File(path, "w") as file:
        file["data"] = h5py.ExternalLink("other.h5", "/data")
    assert "rename" in refused(path, path.read_bytes())
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((40, 3), np.float32)
        layout[:] = h5py.VirtualSource(str(other), "data", (40, 3))
        file.create_virtual_dataset("data", layout)
    assert "other files" in refused(path, path.read_bytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (40, 3), np.float32, external=[("raw", 0, 480)])
    assert "other files" in refused(path, path.read_bytes())


def test_a_ply_that_is_no_cloud_is_refused(tmp_path: Path) -> None:
    path, good = tmp_path / "x.ply", ply(CLOUD, "")
    for old, new, said in (
        (b"ply", b"PLY?", "first line"),
        (b"format ascii 1.0", b"format ascii 2.0", "line 2"),
        (b"format ascii 1.0\n", b"", "format"),
        (b"property float nz", b"property float16 nz", "property float16 nz"),
        (b"property float nz", b"property list int int nz", "list"),
        (b"property float nz", b"property float ny", "names different"),
        (b"property float nz", b"property float n", "together"),
        (b"property double quality", b"property double class", "label and class"),
        (b"element vertex 40", b"element vertex -1", "line 5"),
        (b"element vertex 40", b"element vertex 0", "no points"),
        (b"element vertex 40", b"element vertex 42", "line 60 has 4"),
        (b"element vertex 40", b"element vertex 99999999999999", "at most 10,000,000"),
        (b"element vertex", b"element corner", "vertex"),
        (b"element vertex", b"element camera 10000001\nelement vertex", "camera"),
        (b"end_header", b"comment", "fix"),
        (b"comment category chair", b"comment category " + b"x" * 101, "category"),
    ):
        assert said in refused(path, good.replace(old, new, 1))
    head, _, body = good.partition(b"end_header\n")
    lines = body.splitlines(keepends=True)
    first = head.count(b"\n") + 2
    lines[3] = b"1 2 3\n"
    assert f"line {first + 3} has 3" in refused(path, head + b"end_header\n" + b"".join(lines))
    lines[3] = lines[2].replace(lines[2].split()[7], b"256", 1)
    assert f"line {first + 3} has" in refused(path, head + b"end_header\n" + b"".join(lines))
    assert "there are 40" in refused(
        path, good.replace(b"vertex 40", b"vertex 41").replace(b"3 0 1 2\n", b"")
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_binary_ply_cut_short_or_wrong_is_refused(tmp_path: Path, order: str) -> None:
    path, good = tmp_path / "x.ply", ply(CLOUD, order, faces=False)
    assert "ends in vertex 39" in refused(path, good[:-1])
    assert "10,000,000" in refused(path, good.replace(b"vertex 40", b"vertex 10000001"))
    at = good.index(b"end_header\n") + len(b"end_header\n")
    nan = np.array(np.nan, f"{order}f4").tobytes()
    assert "vertex 0 has nan" in refused(path, good[:at] + nan + good[at + 4 :])
    listed = b"element face 1\nproperty list uchar int v\nelement vertex"
    assert "lists" in refused(path, good.replace(b"element vertex", listed))


@pytest.mark.parametrize("order", ["", "<", ">"])
def test_plain_elements_in_front_of_the_vertices_are_passed_over(
    tmp_path: Path, order: str
) -> None:
    path, good = tmp_path / "x.ply", ply(CLOUD, order)
    camera = b"element camera 2\nproperty float f\nproperty uchar f\nelement vertex"
    head, mark, body = good.replace(b"element vertex", camera).partition(b"end_header\n")
    path.write_bytes(head + mark + (bytes(10) if order else b"0 0\n0 0\n") + body)
    same(read_cloud(path).points, CLOUD.points)


def test_floats_are_colours_from_0_to_1_in_ply(tmp_path: Path) -> None:
    head = "ply\nformat ascii 1.0\nelement vertex 1\n" + "".join(
        f"property float {name}\n" for name in ("x", "y", "z", "red", "green", "blue")
    )
    path = tmp_path / "x.ply"
    path.write_text(head + "end_header\n0 0 0 0 .5 1\n")
    same(read_cloud(path).features, np.array([[0, 0.5, 1]], np.float32))
    assert "from 0 to 1" in refused(path, (head + "end_header\n0 0 0 0 .5 200\n").encode())


@pytest.mark.parametrize(
    ("kind", "largest"), [(np.uint8, 255), (np.int64, 255), (np.uint16, 65535)]
)
def test_whole_colours_in_arrays_are_scaled_by_the_largest_of_their_kind(
    tmp_path: Path, kind: type[np.integer[Any]], largest: int
) -> None:
    rgb = np.array([[0, 51, 255], [largest, 0, 1]], kind)
    for name, data in (
        ("x.npz", npz(points=CLOUD.points[:2], rgb=rgb)),
        ("x.h5", hdf5(points=CLOUD.points[:2], rgb=rgb)),
    ):
        (tmp_path / name).write_bytes(data)
        same(read_cloud(tmp_path / name).features, (rgb / largest).astype(np.float32))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for name in FILES:
        with pytest.raises(InputError, match="no such file"):
            read_cloud(tmp_path / name)
        with pytest.raises(InputError, match="no such file"):
            count_points(tmp_path / name)
        (tmp_path / name).mkdir()
        with pytest.raises(InputError, match="folder"):
            read_cloud(tmp_path / name)
