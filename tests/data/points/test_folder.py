"""Files, folders and patterns of clouds, with their labels; one item for each shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cloud_writers import every_format, hdf5, npy, shape
from refusals import one_sentence

from onnxcert.data import Item
from onnxcert.data.points import CLOUD_READERS, list_clouds, read_cloud
from onnxcert.errors import InputError


def put(root: Path, *names: str, data: bytes = b"0 0 0\n") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def listed(*arguments: Path | str, labels: Path | None = None) -> tuple[Item, ...]:
    return list_clouds(list(map(str, arguments)), labels and str(labels)).items


def refused(*arguments: Path | str, labels: Path | None = None) -> str:
    with one_sentence(InputError) as caught:
        listed(*arguments, labels=labels)
    message = str(caught.value)
    assert "expected" in message
    assert "picture" not in message
    return message


def test_the_registry_is_keyed_by_the_names_of_its_entries() -> None:
    assert {"clouds", "shapenet-part"} <= set(CLOUD_READERS)
    assert all(reader.name == name for name, reader in CLOUD_READERS.items())


def test_a_folder_stands_for_its_clouds_of_every_format(tmp_path: Path) -> None:
    files = every_format(shape())
    for name, (data, _) in files.items():
        put(tmp_path, name, data=data)
    put(tmp_path, ".hidden.npy", "photo.png", "notes.md")
    assert [item.path.name for item in listed(tmp_path)] == sorted(files)
    assert [item.path.name for item in listed(tmp_path / "*.ply")] == [
        *("ascii.ply", "big.ply", "little.ply")
    ]
    assert len({item.name for item in listed(tmp_path)}) == len(files)


def test_subfolders_and_twice_named_files_are_as_for_pictures(tmp_path: Path) -> None:
    put(tmp_path, "b/x.txt", "a/x.txt", "a/.y.txt")
    items = listed(tmp_path, tmp_path / "a/x.txt")
    assert [item.name for item in items] == ["a__x", "b__x"]
    put(tmp_path, "odd.name")
    assert listed(tmp_path / "odd.name")[0].name == "odd"


def test_each_shape_of_a_file_is_an_item(tmp_path: Path) -> None:
    points = np.stack([shape(seed=i).points for i in range(3)])
    put(tmp_path, "d/many.v2.h5", data=hdf5(data=points, label=np.arange(3)))
    put(tmp_path, "d/many.v2-0001.npy", "d/one.h5", data=hdf5(data=points[0]))
    items = listed(tmp_path)
    assert [(item.path.name, item.index) for item in items] == [
        ("many.v2-0001.npy", None),
        *(("many.v2.h5", i) for i in range(3)),
        ("one.h5", None),
    ]
    assert len({item.name for item in items}) == 5
    assert items[1].name == "many.v2-0000"
    for item in items[1:4]:
        np.testing.assert_array_equal(
            read_cloud(item.path, index=item.index).points, points[item.index]
        )
    put(tmp_path, "l/many.v2.npy", data=npy(np.zeros(40, int)))
    assert "3 shapes" in refused(tmp_path / "d/many.v2.h5", labels=tmp_path / "l")


def test_a_damaged_file_is_listed_so_that_it_fails_in_its_turn(tmp_path: Path) -> None:
    put(tmp_path, "x.h5", "y.npy", data=b"damaged")
    for item in listed(tmp_path):
        assert item.index is None
        with pytest.raises(InputError, match=r"damaged|none of these"):
            read_cloud(item.path, index=item.index)


def test_labels_share_the_stem_or_serve_one_cloud(tmp_path: Path) -> None:
    put(tmp_path, "c/a.npy", "c/b.ply", "l/a.seg", "l/b.txt", "l/c.npy", "l/b.csv")
    found = {item.path.name: item.label for item in listed(tmp_path / "c", labels=tmp_path / "l")}
    assert found == {"a.npy": tmp_path / "l/a.seg", "b.ply": tmp_path / "l/b.txt"}
    (one,) = listed(tmp_path / "c/a.npy", labels=tmp_path / "l/b.txt")
    assert one.label == tmp_path / "l/b.txt"
    assert "2 point clouds" in refused(tmp_path / "c", labels=tmp_path / "l/b.txt")
    put(tmp_path, "l/a.txt")
    assert "a.npy, .txt or .seg" in refused(tmp_path / "c", labels=tmp_path / "l")
    # Labels in a folder below the clouds are no clouds.
    put(tmp_path, "d/x.txt", "d/labels/x.txt")
    assert len(listed(tmp_path / "d", labels=tmp_path / "d/labels")) == 1
    assert "too" in refused(tmp_path / "d", labels=tmp_path / "d")


def test_a_table_gives_each_cloud_its_class(tmp_path: Path) -> None:
    put(tmp_path, "a.npy", "b.npy")
    put(tmp_path, "classes.csv", data=b"a.npy,chair\nb,3\n")
    texts = [
        item.class_label and item.class_label.text
        for item in listed(tmp_path, labels=tmp_path / "classes.csv")
    ]
    assert texts == ["chair", "3"]


def test_nothing_found_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "photo.png")
    assert "give one" in refused()
    assert "no such" in refused(tmp_path / "missing")
    assert ".npy, .npz" in refused(tmp_path)
    assert "there is none" in refused(f"{tmp_path}/*.png")
