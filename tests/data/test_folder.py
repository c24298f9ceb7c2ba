"""Readers: what the command line names is what is listed, with the label that belongs to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from refusals import one_sentence

from onnxcert.data import Item, Listing, list_images
from onnxcert.data.datasets import READERS, list_camvid
from onnxcert.errors import InputError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def listed(listing: Listing, root: Path) -> list[str]:
    return [item.path.relative_to(root).as_posix() for item in listing.items]


def pairs(listing: Listing, root: Path) -> dict[str, str]:
    return {
        item.path.relative_to(root).as_posix(): item.label.relative_to(root).as_posix()
        for item in listing.items
        if item.label is not None
    }


def refused(arguments: list[str], labels: str | None = None) -> str:
    with one_sentence(InputError) as caught:
        list_images(arguments, labels)
    message = str(caught.value)
    assert "expected" in message
    return message


def test_a_folder_stands_for_its_pictures_in_order(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "c.PNG",
        "a.jpg",
        "b.bmp",
        "d.npy",
        "e.jpeg",
        "f.tif",
        "g.webp",
        ".x.png",
        "read.me",
        "sub/f.png",
    )
    listing = list_images([str(tmp_path)], None)
    assert listed(listing, tmp_path) == [
        "a.jpg",
        "b.bmp",
        "c.PNG",
        "d.npy",
        "e.jpeg",
        "f.tif",
        "g.webp",
    ]
    assert listing.items[0] == Item("a", tmp_path / "a.jpg", None)
    assert (listing.class_names, listing.ignore_label) == (None, None)


def test_subfolders_count_where_the_top_has_no_picture(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "b/x.png", "a/deep/x.png", ".hidden/x.png", "a/y.jpg")
    listing = list_images([str(tmp_path)], None)
    assert listed(listing, tmp_path) == ["a/deep/x.png", "a/y.jpg", "b/x.png"]
    assert [item.name for item in listing.items] == ["a__deep__x", "y", "b__x"]


def test_patterns_are_expanded(tmp_path: Path) -> None:
    touch(tmp_path, "a/x1.png", "a/x2.jpg", "a/y.png", "a/x3.txt", "a/.x4.png", "b/c/x5.png")
    root = str(tmp_path)
    assert listed(list_images([f"{root}/a/x*"], None), tmp_path) == ["a/x1.png", "a/x2.jpg"]
    assert listed(list_images([f"{root}/a/x?.png"], None), tmp_path) == ["a/x1.png"]
    assert listed(list_images([f"{root}/**/x[15].png"], None), tmp_path) == [
        "a/x1.png",
        "b/c/x5.png",
    ]
    assert listed(list_images([f"{root}/*"], None), tmp_path) == [
        "a/x1.png",
        "a/x2.jpg",
        "a/y.png",
        "b/c/x5.png",
    ]


def test_patterns_work_below_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/x.png", "b/x.png")
    monkeypatch.chdir(tmp_path)
    items = list_images(["*/x.png"], None).items
    assert [(item.name, item.path) for item in items] == [
        ("a__x", Path("a/x.png")),
        ("b__x", Path("b/x.png")),
    ]


def test_a_file_named_outright_is_listed_whatever_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "x.gif", "a[1].png", "a1.png", ".h.png")
    named = [str(tmp_path / name) for name in ("x.gif", "a[1].png", ".h.png")]
    assert listed(list_images(named, None), tmp_path) == ["x.gif", "a[1].png", ".h.png"]


def test_a_picture_named_twice_is_listed_once(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.png", "a/y.png")
    one = str(tmp_path / "a/y.png")
    again = os.path.join(tmp_path, "a", "..", "a", "y.png")  # noqa: PTH118
    listing = list_images([one, str(tmp_path / "a"), again, f"{tmp_path}/*/y.*"], None)
    assert [item.name for item in listing.items] == ["y", "x"]


def test_nothing_found_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "empty/notes.txt", "empty/.x.png", "a.gif")
    assert "give one" in refused([])
    assert "no such" in refused([str(tmp_path / "missing")])
    assert "there is none" in refused([str(tmp_path / "empty")])
    assert "there is none" in refused([f"{tmp_path}/*.gif"])
    assert "there is none" in refused([f"{tmp_path}/q*"])
    refused(["x" * 5000])
    refused(["a\0b"])
    touch(tmp_path, "x.png")
    assert "no such" in refused([str(tmp_path / "x.png"), str(tmp_path / "missing.png")])


def test_labels_share_the_stem(tmp_path: Path) -> None:
    touch(tmp_path, "p/a.jpg", "p/b.c.png", "l/a.png", "l/b.c.npy", "l/other.png", "l/b.txt")
    listing = list_images([str(tmp_path / "p")], str(tmp_path / "l"))
    assert pairs(listing, tmp_path) == {"p/a.jpg": "l/a.png", "p/b.c.png": "l/b.c.npy"}


@pytest.mark.parametrize("how", ["p", "p/*", "p/**/*.png", "files"])
def test_labels_share_the_subfolder_however_pictures_are_named(tmp_path: Path, how: str) -> None:
    touch(tmp_path, "p/c1/x.png", "p/c2/x.png", "l/c1/x.png", "l/c2/x.png")
    files = [str(tmp_path / name) for name in ("p/c1/x.png", "p/c2/x.png")]
    arguments = files if how == "files" else [f"{tmp_path}/{how}"]
    listing = list_images(arguments, str(tmp_path / "l"))
    assert pairs(listing, tmp_path) == {"p/c1/x.png": "l/c1/x.png", "p/c2/x.png": "l/c2/x.png"}


def test_labels_below_the_pictures_are_no_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "d/images/x.png", "d/labels/x.png")
    for argument in (f"{tmp_path}/d", f"{tmp_path}/d/**/*.png"):
        listing = list_images([argument], str(tmp_path / "d/labels"))
        assert pairs(listing, tmp_path) == {"d/images/x.png": "d/labels/x.png"}


def test_one_label_file_for_one_picture(tmp_path: Path) -> None:
    touch(tmp_path, "p/x.png", "p/y.png", "truth.png")
    truth = str(tmp_path / "truth.png")
    listing = list_images([str(tmp_path / "p/x.png")], truth)
    assert pairs(listing, tmp_path) == {"p/x.png": "truth.png"}
    assert "2 pictures" in refused([str(tmp_path / "p")], truth)


def test_a_picture_without_exactly_one_label_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "p/x.png", "p/y.png", "l/x.png")
    assert "y.png" in refused([str(tmp_path / "p")], str(tmp_path / "l"))
    touch(tmp_path, "l/y.png", "l/y.npy")
    message = refused([str(tmp_path / "p")], str(tmp_path / "l"))
    assert "y.png" in message
    assert "y.npy" in message
    assert "no such" in refused([str(tmp_path / "p")], str(tmp_path / "missing"))


def test_a_label_never_serves_two_pictures_or_itself(tmp_path: Path) -> None:
    touch(tmp_path, "p/a/x.png", "p/b/x.png", "l/x.png")
    assert "equal names" in refused([str(tmp_path / "p")], str(tmp_path / "l"))
    touch(tmp_path, "q/x.png")
    assert "equal names" in refused([str(tmp_path / "q")], str(tmp_path / "q"))
    assert "equal names" in refused([str(tmp_path / "q")], str(tmp_path))


def test_readers_are_registered_by_name() -> None:
    assert all(reader.name == name for name, reader in READERS.items())
    assert list(READERS) == [
        "folder",
        "imagefolder",
        "camvid",
        "cityscapes",
        "pascal-voc",
        "pascal-context",
        "pascal-context-59",
        "ade20k",
    ]
    assert (READERS["folder"].list, READERS["camvid"].list) == (list_images, list_camvid)


CLASSES = [
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
]


def camvid(root: Path) -> Path:
    touch(root, "test/b.png", "test/a.png", "testannot/a.png", "testannot/b.png")
    (root / "classes.txt").write_text("\n".join(CLASSES))
    return root / "test"


def test_camvid_brings_labels_names_and_ignore_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = camvid(tmp_path)
    monkeypatch.chdir(split)
    for argument in (str(split), f"{split}/", "."):
        listing = list_camvid([argument], None)
        assert pairs(listing, tmp_path) == {
            "test/a.png": "testannot/a.png",
            "test/b.png": "testannot/b.png",
        }
        assert listing.class_names == tuple(CLASSES)
        assert listing.ignore_label == 11


def test_camvid_without_its_layout_is_refused(tmp_path: Path) -> None:
    split = camvid(tmp_path)
    for arguments, labels in (
        ([], None),
        ([str(split), str(split)], None),
        ([str(split)], str(split)),
        ([str(tmp_path / "val")], None),
        ([str(split / "a.png")], None),
        ([str(tmp_path / "testannot")], None),
    ):
        with pytest.raises(InputError, match="expected"):
            list_camvid(arguments, labels)
    (tmp_path / "testannot/b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png"):
        list_camvid([str(split)], None)
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    with pytest.raises(InputError, match="11 class names"):
        list_camvid([str(split)], None)
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(InputError, match=r"classes\.txt"):
        list_camvid([str(split)], None)
