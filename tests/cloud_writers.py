"""The same cloud in every format, written byte by byte where no library is at hand."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from onnxcert.data.points import PointCloud

Array = npt.NDArray[Any]


def shape(points: int = 40, seed: int = 5) -> PointCloud:
    """Points on a sphere, away from the origin, with their normals, colours of 8 bits and parts."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(points, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rgb = rng.integers(0, 256, (points, 3)) / 255
    return PointCloud(
        (2 * normals + (1, 2, 3)).astype(np.float32),
        normals.astype(np.float32),
        rgb.astype(np.float32),
        "chair",
        rng.integers(0, 4, points).astype(np.int32),
    )


def whole(colours: Array) -> npt.NDArray[np.int64]:
    """Colours in [0, 1] as 0 .. 255."""
    return np.rint(colours * 255).astype(np.int64)


def table(cloud: PointCloud, *, rgb: bool = True) -> npt.NDArray[np.float64]:
    """Columns xyz,normals,rgb,label."""
    assert cloud.normals is not None
    assert cloud.features is not None
    assert cloud.labels is not None
    parts: list[Array] = [cloud.points, cloud.normals]
    parts += [whole(cloud.features)] if rgb else []
    return np.hstack([*parts, cloud.labels[:, None]]).astype(np.float64)


def text(rows: Array, *, comma: bool = False) -> bytes:
    """Lines of numbers that give float32 back."""
    between = ", " if comma else " "
    return "".join(between.join(f"{v:.9g}" for v in row) + "\n" for row in rows).encode()


def npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(*, packed: bool = False, **arrays: Any) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    return file.getvalue()


def hdf5(file: dict[str, Any] | None = None, **datasets: Any) -> bytes:
    """Datasets from arrays, or from (array, options)."""
    out = io.BytesIO()
    with h5py.File(out, "w", **(file or {})) as target:
        for name, value in datasets.items():
            data, options = value if isinstance(value, tuple) else (value, {})
            target.create_dataset(name, data=data, **options)
    return out.getvalue()


def ply(
    cloud: PointCloud, order: str, *, label: str = "label", faces: bool = True, end: str = "\n"
) -> bytes:
    """`order` is "", "<" or ">"; the face that follows is no business of the reader's."""
    assert cloud.normals is not None
    assert cloud.features is not None
    assert cloud.labels is not None
    kind = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    fields = [(name, "float", "f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    fields += [(name, "uchar", "u1") for name in ("red", "green", "blue")]
    fields += [(label, "int", "i4"), ("quality", "double", "f8")]
    lines = ["ply", f"format {kind} 1.0", "comment made by hand", f"comment category {'chair'}"]
    lines += [f"element vertex {len(cloud)}"]
    lines += [f"property {of} {name}" for name, of, _ in fields]
    lines += ["element face 1", "property list uchar int vertex_indices"] if faces else []
    head = "".join(line + end for line in [*lines, "end_header"]).encode()
    rows = np.hstack([table(cloud), np.full((len(cloud), 1), np.pi)])
    if not order:
        return head + text(rows) + (b"3 0 1 2\n" if faces else b"")
    record = np.zeros(len(cloud), [(name, order + of) for name, _, of in fields])
    for (name, _, _), column in zip(fields, rows.T, strict=True):
        record[name] = column
    face = b"\3" + np.array([0, 1, 2], f"{order}i4").tobytes()
    return head + record.tobytes() + (face if faces else b"")


def every_format(cloud: PointCloud) -> dict[str, tuple[bytes, str | None]]:
    """The cloud, as bytes by the name of the file, with the columns that have to be told."""
    rows, told = table(cloud), "xyz,normals,rgb,label"
    arrays: dict[str, Any] = {
        "points": cloud.points,
        "normals": cloud.normals,
        "labels": cloud.labels,
    }
    colours = whole(cloud.features).astype(np.uint8) if cloud.features is not None else None
    packed = {"compression": "gzip", "shuffle": True, "chunks": (7, 3)}
    write: dict[str, Callable[[], bytes]] = {
        "cloud.txt": lambda: b"# made by hand\n\n" + text(rows),
        "commas.xyz": lambda: b"\xef\xbb\xbf" + text(rows, comma=True),
        "counted.pts": lambda: f"{len(cloud)}\r\n".encode() + text(rows).replace(b"\n", b"\r\n"),
        "single.npy": lambda: npy(rows),
        "names.npz": lambda: npz(**arrays, colors=colours, category="chair"),
        "packed.npz": lambda: npz(
            packed=True, xyz=cloud.points, normals=cloud.normals, features=cloud.features,
            seg=cloud.labels, category=np.bytes_("chair"),
        ),
        "ascii.ply": lambda: ply(cloud, "", end="\r\n"),
        "little.ply": lambda: ply(cloud, "<", label="scalar_Label"),
        "big.ply": lambda: ply(cloud, ">", label="class", faces=False),
        "one.h5": lambda: hdf5(
            data=(cloud.points, packed), normal=cloud.normals, pid=cloud.labels, rgb=colours,
            category=np.bytes_("chair"),
        ),
        "latest.hdf5": lambda: hdf5({"libver": "latest"}, **arrays, color=colours),
    }  # fmt: skip
    nameless = (".txt", ".xyz", ".pts", ".npy")
    return {
        name: (make(), told if name.endswith(nameless) else None) for name, make in write.items()
    }
