"""ShapeNet's part benchmark, as it is laid out on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cloud_writers import shape, table, text
from refusals import one_sentence

from onnxcert.data.points import (
    SHAPENET_PART_NAMES,
    SHAPENET_PARTS,
    list_shapenet_part,
    read_cloud,
    read_cloud_item,
)
from onnxcert.errors import InputError

SYNSETS = {"Airplane": "02691156", "Chair": "03001627", "Table": "04379243"}
SPLITS = {
    "train": ["Airplane/a1", "Chair/c1"],
    "val": ["Table/t2"],
    "test": ["Table/t1", "Airplane/a3", "Chair/c2", "Chair/c0"],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "shapenetcore_partanno_segmentation_benchmark_v0_normal"
    (top / "train_test_split").mkdir(parents=True)
    lines = "".join(f"{name}\t{synset}\n" for name, synset in SYNSETS.items())
    (top / "synsetoffset2category.txt").write_text(lines)
    for split, shapes in SPLITS.items():
        entries = []
        for number, one in enumerate(shapes):
            category, name = one.split("/")
            path = top / SYNSETS[category] / f"{name}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text(table(shape(30, number), rgb=False)))
            entries.append(f"shape_data/{SYNSETS[category]}/{name}")
        (top / f"train_test_split/shuffled_{split}_file_list.json").write_text(json.dumps(entries))
    return top


def names(argument: Path | str) -> list[str]:
    return [item.name for item in list_shapenet_part([str(argument)], None).items]


def test_a_split_in_the_order_of_its_list(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test = ["Table-t1", "Airplane-a3", "Chair-c2", "Chair-c0"]
    assert names(root) == names(root / "test") == names(f"{root}/") == test
    assert names(root / "train") == ["Airplane-a1", "Chair-c1"]
    assert names(root / "val") == ["Table-t2"]
    assert names(root / "03001627") == ["Chair-c2", "Chair-c0"]
    monkeypatch.chdir(root)
    assert names(".") == test
    assert names("val") == ["Table-t2"]


def test_items_bring_category_names_and_labels(root: Path) -> None:
    listing = list_shapenet_part([str(root)], None)
    assert listing.class_names == SHAPENET_PART_NAMES
    for number, item in enumerate(listing.items):
        category = item.name.partition("-")[0]
        assert (item.category, item.index, item.label) == (category, None, None)
        assert item.path == root / SYNSETS[category] / f"{item.name.partition('-')[2]}.txt"
        cloud = read_cloud_item(item, columns=None, frame="own", points=None, fill=False)
        expected = shape(30, number)
        assert cloud.category == category
        np.testing.assert_array_equal(cloud.points, expected.points)
        np.testing.assert_array_equal(cloud.labels, expected.labels)
        assert read_cloud(item.path).normals is not None


def test_the_parts_are_those_of_the_benchmark() -> None:
    counts = (4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3)
    assert list(SHAPENET_PARTS) == sorted(SHAPENET_PARTS)
    assert tuple(map(len, SHAPENET_PARTS.values())) == counts
    assert [part for parts in SHAPENET_PARTS.values() for part in parts] == list(range(50))
    assert SHAPENET_PARTS["Motorbike"] == (30, 31, 32, 33, 34, 35)
    assert len(set(SHAPENET_PART_NAMES)) == len(SHAPENET_PART_NAMES) == 50


def test_what_is_not_its_layout_is_refused(root: Path, tmp_path: Path) -> None:
    for arguments, labels in (
        ([], None),
        ([str(root), str(root)], None),
        ([str(root)], str(root)),
        ([str(tmp_path)], None),
        ([str(root / "nothing")], None),
        ([str(root / "02691156/a1.txt")], None),
        ([str(root / "train_test_split")], None),
    ):
        with pytest.raises(InputError, match="expected"):
            list_shapenet_part(arguments, labels)
    (root / "04530566").mkdir()
    with pytest.raises(InputError, match="04530566"):
        names(root / "04530566")
    (root / "03001627/c0.txt").unlink()
    with pytest.raises(InputError, match=r"no .*c0\.txt"):
        names(root)
    (root / "synsetoffset2category.txt").unlink()
    with pytest.raises(InputError, match=r"synsetoffset2category\.txt"):
        names(root)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "damaged"),
        ("[" * 100_000, "damaged"),
        ("{}", "not a list"),
        ("[]", "none"),
        ("[7]", "'7' occurs"),
        ('["shape_data/03001627/../../../secret"]', "secret"),
        ('["shape_data/03001627/.."]', "occurs"),
        ('["/03001627/c2"]', "occurs"),
        ('["shape_data/99999999/c2"]', "99999999"),
        ('["shape_data/03001627/c2\\n"]', "occurs"),
        ('["shape_data/03001627/c2", "shape_data/03001627/C2"]', "upper and lower case"),
    ],
)
def test_a_list_that_is_none_or_leads_elsewhere_is_refused(
    root: Path, content: str, said: str
) -> None:
    path = root / "train_test_split/shuffled_test_file_list.json"
    path.write_text(content)
    with one_sentence(InputError, match=said) as caught:
        names(root)
    assert str(caught.value).startswith(f"{path}: expected")


def test_a_shape_listed_twice_is_one(root: Path) -> None:
    path = root / "train_test_split/shuffled_test_file_list.json"
    path.write_text(json.dumps(["shape_data/03001627/c2"] * 2))
    assert names(root) == ["Chair-c2"]


@pytest.mark.parametrize(
    "line", ["Sofa\t04256520", "Chair 0300162", "Chair", "Chair\t02691156", "Chair\t03001627\tx"]
)
def test_a_line_that_is_no_category_is_named(root: Path, line: str) -> None:
    path = root / "synsetoffset2category.txt"
    path.write_text(f"Airplane\t02691156\n\n{line}\n")
    with pytest.raises(InputError, match="line 3"):
        names(root)
