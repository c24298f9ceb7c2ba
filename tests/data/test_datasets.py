"""Published layouts: pictures find their labels, and what is missing is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from encoders import saved
from refusals import one_sentence

from onnxcert.data import INDEX, Listing, read_labels
from onnxcert.data.datasets import READERS
from onnxcert.data.published import LABEL_MAPS
from onnxcert.errors import InputError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def pairs(listing: Listing, root: Path) -> list[tuple[str, str]]:
    return [
        (item.path.relative_to(root).as_posix(), item.label.relative_to(root).as_posix())
        for item in listing.items
        if item.label is not None
    ]


def refused(reader: str, *arguments: Path | str, labels: str | None = None) -> str:
    with one_sentence(InputError) as caught:
        READERS[reader].list([str(one) for one in arguments], labels)
    message = str(caught.value)
    assert "expected" in message
    return message


# -- Cityscapes ------------------------------------------------------------------------------


def cityscapes(root: Path, kind: str = "labelIds") -> Path:
    for place in ("munster/munster_000000_000019", "frankfurt/frankfurt_000001_000002"):
        touch(root, f"leftImg8bit/val/{place}_leftImg8bit.png")
        touch(root, f"gtFine/val/{place}_gtFine_{kind}.png", f"gtFine/val/{place}_gtFine_color.png")
        touch(root, f"gtFine/val/{place}_gtFine_instanceIds.png")
    touch(root, "leftImg8bit/val/munster/readme.txt", "leftImg8bit/val/munster/other.png")
    return root / "leftImg8bit/val"


@pytest.mark.parametrize("kind", ["labelIds", "labelTrainIds"])
def test_cityscapes(tmp_path: Path, kind: str) -> None:
    split = cityscapes(tmp_path, kind)
    listing = READERS["cityscapes"].list([str(split)], None)
    assert pairs(listing, tmp_path) == [
        (
            "leftImg8bit/val/frankfurt/frankfurt_000001_000002_leftImg8bit.png",
            f"gtFine/val/frankfurt/frankfurt_000001_000002_gtFine_{kind}.png",
        ),
        (
            "leftImg8bit/val/munster/munster_000000_000019_leftImg8bit.png",
            f"gtFine/val/munster/munster_000000_000019_gtFine_{kind}.png",
        ),
    ]
    assert listing.ignore_label == 255
    assert listing.class_names is not None
    assert len(listing.class_names) == 19
    assert listing.label_encoding == (LABEL_MAPS["cityscapes"] if kind == "labelIds" else INDEX)
    one_city = READERS["cityscapes"].list([str(split / "munster")], None)
    assert pairs(one_city, tmp_path) == pairs(listing, tmp_path)[1:]


def test_cityscapes_label_ids_are_preferred_and_complete(tmp_path: Path) -> None:
    split = cityscapes(tmp_path)
    cityscapes(tmp_path, "labelTrainIds")
    reader = READERS["cityscapes"]
    assert reader.list([str(split)], None).label_encoding == LABEL_MAPS["cityscapes"]
    ids = "gtFine/val/munster/munster_000000_000019_gtFine_labelIds.png"
    (tmp_path / ids).unlink()
    assert reader.list([str(split)], None).label_encoding == INDEX
    (tmp_path / ids.replace("labelIds", "labelTrainIds")).unlink()
    assert "labelTrainIds.png" in refused("cityscapes", split)


def test_cityscapes_without_its_layout_is_refused(tmp_path: Path) -> None:
    split = cityscapes(tmp_path)
    assert "2 paths" in refused("cityscapes", split, split)
    assert "0 paths" in refused("cityscapes")
    assert "--labels" in refused("cityscapes", split, labels="gt")
    refused("cityscapes", tmp_path)
    refused("cityscapes", split.parent / "test")
    refused("cityscapes", split / "munster/munster_000000_000019_leftImg8bit.png")
    touch(tmp_path, "leftImg8bit/train/x/readme.txt")
    assert "no" in refused("cityscapes", split.parent / "train")
    touch(tmp_path, "gtFine/train/x/readme.txt")
    assert "there is none" in refused("cityscapes", split.parent / "train")


# -- Pascal ----------------------------------------------------------------------------------


def pascal(root: Path, lists: str, labels: str, suffix: str = ".png") -> Path:
    for name in ("2007_000033", "2008_000002"):
        touch(root, f"JPEGImages/{name}.jpg", f"{labels}/{name}{suffix}")
    touch(root, "JPEGImages/2009_000009.jpg")
    split = root / f"ImageSets/{lists}/val.txt"
    split.parent.mkdir(parents=True)
    split.write_text("2008_000002\n2007_000033\n\n")
    return split


def test_pascal_voc(tmp_path: Path) -> None:
    split = pascal(tmp_path, "Segmentation", "SegmentationClass")
    listing = READERS["pascal-voc"].list([str(split)], None)
    assert pairs(listing, tmp_path) == [
        ("JPEGImages/2008_000002.jpg", "SegmentationClass/2008_000002.png"),
        ("JPEGImages/2007_000033.jpg", "SegmentationClass/2007_000033.png"),
    ]
    assert listing.class_names is not None
    assert len(listing.class_names) == 21
    assert (listing.ignore_label, listing.label_encoding) == (255, INDEX)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
def test_pascal_context(tmp_path: Path, suffix: str) -> None:
    split = pascal(tmp_path, "SegmentationContext", "SegmentationClassContext", suffix)
    with_background = READERS["pascal-context"].list([str(split)], None)
    without = READERS["pascal-context-59"].list([str(split)], None)
    assert pairs(with_background, tmp_path) == pairs(without, tmp_path)
    assert pairs(without, tmp_path)[0][1] == f"SegmentationClassContext/2008_000002{suffix}"
    assert with_background.class_names == ("background", *(without.class_names or ()))
    assert len(without.class_names or ()) == 59
    assert with_background.label_encoding == INDEX
    assert without.label_encoding == LABEL_MAPS["pascal-context-59"]
    assert with_background.ignore_label == without.ignore_label == 255


def test_pascal_without_its_layout_is_refused(tmp_path: Path) -> None:
    split = pascal(tmp_path, "Segmentation", "SegmentationClass")
    for reader in ("pascal-context", "pascal-context-59"):
        assert "ImageSets/SegmentationContext" in refused(reader, split)
    refused("pascal-voc", tmp_path)
    refused("pascal-voc", split.with_name("test.txt"))
    refused("pascal-voc", split, labels="x")
    for content, says in (
        ("", "none"),
        ("2007_000033 1\n", "one picture name per line"),
        ("../../secret\n", "one picture name per line"),
        ("/etc/passwd\n", "one picture name per line"),
        ("2007_000033\n2010_000001\n", "JPEGImages/2010_000001.jpg"),
        ("2009_000009\n", "SegmentationClass/2009_000009.png"),
        ("x\0y\n", "expected"),
        ("y" * 400 + "\n", "expected"),
    ):
        split.write_text(content)
        assert says in refused("pascal-voc", split)
    split.write_bytes(b"\xff\xfe\0")
    refused("pascal-voc", split)


# -- ADE20K ----------------------------------------------------------------------------------


def test_ade20k(tmp_path: Path) -> None:
    touch(tmp_path, "images/validation/a.jpg", "images/validation/b.jpg")
    touch(tmp_path, "annotations/validation/a.png", "annotations/validation/b.png")
    listing = READERS["ade20k"].list([str(tmp_path / "images/validation")], None)
    assert pairs(listing, tmp_path) == [
        ("images/validation/a.jpg", "annotations/validation/a.png"),
        ("images/validation/b.jpg", "annotations/validation/b.png"),
    ]
    assert len(set(listing.class_names or ())) == 150
    label = listing.items[0].label
    assert label is not None
    label.write_bytes(saved(np.array([[0, 1, 150]], np.uint8), "PNG"))
    labels = read_labels(
        label,
        size=(1, 3),
        classes=150,
        ignore_label=listing.ignore_label,
        label_encoding=listing.label_encoding,
    )
    assert labels.tolist() == [[255, 0, 149]]
    # The complete data set of other numbers is not this one.
    label.write_bytes(saved(np.array([[0, 1, 151]], np.uint8), "PNG"))
    with pytest.raises(InputError, match="151 occurs"):
        read_labels(
            label, size=(1, 3), classes=150, ignore_label=255, label_encoding=listing.label_encoding
        )


def test_ade20k_without_its_layout_is_refused(tmp_path: Path) -> None:
    touch(
        tmp_path, "images/validation/a.jpg", "images/training/a.jpg", "annotations/training/b.png"
    )
    assert "annotations" in refused("ade20k", tmp_path / "images/validation")
    assert "a.png" in refused("ade20k", tmp_path / "images/training")
    refused("ade20k", tmp_path)
    refused("ade20k", tmp_path / "images/test")
    refused("ade20k", tmp_path / "images/training", labels="x")
