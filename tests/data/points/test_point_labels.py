"""Label files: one whole number for each point, of the cloud that they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from cloud_writers import npy

from onnxcert.data.points import read_cloud_labels
from onnxcert.errors import InputError

LABELS = np.array([3, 0, -1, 49, 7], np.int32)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.npy", npy(LABELS)),
        ("x.npy", npy(LABELS.astype(np.int64)[:, None])),
        ("x.seg", b"3\n0\n-1\n49\n7\n"),
        ("x.txt", b"# parts\n3\n0\n\n-1\n49.0\n7"),
    ],
)
def test_labels_come_in_the_order_of_the_file(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    np.testing.assert_array_equal(read_cloud_labels(path, 5), LABELS, strict=True)
    for points in (4, 6):
        with pytest.raises(InputError, match=f"{name}: expected .*{points}"):
            read_cloud_labels(path, points)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"1\n2 3\n", "line 2 has 2"),
        (b"1\ntwo\n", "line 2 has 'two'"),
        (b"1\n\n2.5\n", "line 3 has 2.5"),
        (b"1\nnan\n", "line 2 has nan"),
        (b"1\n3000000000\n", "line 2 has 3000000000"),
        (b"", "there are 0"),
    ],
)
def test_a_line_that_is_no_class_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_cloud_labels(path, 2)


@pytest.mark.parametrize("array", [np.zeros(2), np.zeros((2, 2), int), np.zeros(2, bool)])
def test_arrays_that_are_no_labels_are_refused(tmp_path: Path, array: npt.NDArray[Any]) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(npy(array))
    with pytest.raises(InputError, match="integers"):
        read_cloud_labels(path, 2)
