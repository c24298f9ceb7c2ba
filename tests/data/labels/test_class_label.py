"""Classes of whole pictures: tables, folders, and what may go wrong in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import write_picture

from onnxcert.data import ClassLabel, Item, Listing, list_images, read_usable_sizes
from onnxcert.data.datasets import READERS, apply_label_encoding, list_class_folders
from onnxcert.data.labels.classes import match_classes, read_class_table
from onnxcert.errors import InputError, ParameterError
from onnxcert.model.contract.image import ImageContract
from onnxcert.run.modality import ImageModality

NAMES = ("cat", "traffic light", "dog")


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def classes_of(path: Path, *pictures: str) -> list[str]:
    read = read_class_table(path)
    return [one.text for one in match_classes(read, [Path(p) for p in pictures], source=path)]


@pytest.mark.parametrize(
    "text",
    [
        "a.png,2\nsub/b.png,traffic light\n",
        "a.png, 2\n\nsub/b.png , traffic light",
        "name,label\na.png,2\nsub/b.png,traffic light\n",
        "# made by hand\nfile;class\na.png;2\nsub/b.png;traffic light\n",
        "a.png\t2\nsub/b.png\ttraffic light\n",
        "filename label\na.png 2\nsub/b.png   traffic light\n",
        '"a.png",2\n"sub/b.png","traffic light"\n',
        "\ufeffa.png,2\r\n./sub\\b.png,traffic light\r\n",
        "a,2\nb,traffic light\n",
        "b.jpg,0\na.png,2\nsub/b,traffic light\n",
    ],
)
def test_every_usual_way_to_write_a_table(text: str, tmp_path: Path) -> None:
    path = table(tmp_path, text)
    assert classes_of(path, "x/a.png", "x/sub/b.png") == ["2", "traffic light"]


def test_names_with_blanks_end_at_their_suffix(tmp_path: Path) -> None:
    path = table(tmp_path, "my photo.JPG traffic light\nval 1 0\n", "labels.txt")
    assert classes_of(path, "my photo.JPG", "val 1.png") == ["traffic light", "0"]


def test_a_comma_in_a_name_is_protected_by_quotes(tmp_path: Path) -> None:
    path = table(tmp_path, 'a.png,"goldfish, Carassius auratus"\n')
    assert classes_of(path, "a.png") == ["goldfish, Carassius auratus"]


def test_the_longest_written_path_counts(tmp_path: Path) -> None:
    path = table(tmp_path, "x.png,0\nfront/x.png,1\n")
    assert classes_of(path, "rear/x.png", "front/x.png") == ["0", "1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.png,1\nb.png\n", ["line 2 is 'b.png'", "two fields"]),
        ("a.png,1\nb.png,\n", ["line 2"]),
        ("a.png,1,2\n", ["line 1"]),
        ("a.png,1\na.png,1\na.png,2\n", ["line 3", "'2' after '1'"]),
        ("name,label\n", ["has none"]),
        ("", ["has none"]),
    ],
)
def test_a_bad_table_is_one_sentence_with_file_and_line(
    text: str, words: list[str], tmp_path: Path
) -> None:
    path = table(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_class_table(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_a_table_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00,1")
    for name in ("labels.csv", "none.csv"):
        with pytest.raises(InputError, match=f"{name}: expected a UTF-8 text file"):
            read_class_table(tmp_path / name)


def test_a_picture_that_is_not_in_the_table_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, "a.png,1\n")
    with pytest.raises(InputError, match=r"b\.png: expected a class in .*labels\.csv"):
        classes_of(path, "b.png")


def index(text: str, *, names: tuple[str, ...] = (), classes: int = 3, **more: object) -> int:
    folders = more.get("folders", ())
    assert isinstance(folders, tuple)
    label = ClassLabel(text, "labels.csv, line 4", folders)
    ignore = 255 if "ignore" in more else None
    return label.index(names, classes=classes, ignore_label=ignore)


def test_a_class_is_called_by_name_or_index() -> None:
    assert index("1") == 1
    assert index("traffic light", names=NAMES) == 1
    assert index("2", names=NAMES) == 2
    assert index("255", ignore=True) == 255
    # A name that is its own index has one meaning.
    assert [index(str(i), names=("0", "1", "2")) for i in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("text", ["3", "-1", "bird", "Cat", "1.0"])
def test_what_is_no_class_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InputError, match=r"^labels\.csv, line 4: expected the name of a class"):
        index(text, names=NAMES)


def test_a_number_with_two_meanings_is_refused() -> None:
    with pytest.raises(InputError, match="'1' may be class 1 or the name of class 0"):
        index("1", names=("1", "2", "3"))
    folders = tuple(sorted(map(str, range(11))))  # 0, 1, 10, 2, ...
    assert index("1", classes=11, folders=folders) == 1
    with pytest.raises(InputError, match="'10' may be class 10 or in the order of the folders"):
        index("10", classes=11, folders=folders)


def test_folders_count_by_their_names_or_else_in_order() -> None:
    folders = ("cat", "dog", "traffic light")
    assert [index(text, folders=folders) for text in folders] == [0, 1, 2]
    # The model's own names win, in the model's own order.
    assert [index(text, names=NAMES, folders=folders) for text in folders] == [0, 2, 1]
    synsets = ("n01", "n02", "n03")
    assert index("n02", names=NAMES, folders=synsets) == 1


@pytest.mark.parametrize(
    ("text", "names", "folders"),
    [
        ("b", (), ("a", "b")),  # two folders do not tell which of three classes
        ("dgo", NAMES, ("cat", "dgo", "traffic light")),  # others go by name
    ],
)
def test_folders_that_do_not_tell_the_class_are_refused(
    text: str, names: tuple[str, ...], folders: tuple[str, ...]
) -> None:
    with pytest.raises(InputError, match="--class-names"):
        index(text, names=names, folders=folders)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    top = tmp_path / "photos"
    for i, name in enumerate(("dog/x.png", "cat/x.png", "cat/deep/y.png", ".hidden/z.png")):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(top / name, seed=i)
    return top


def read_truth(
    item: Item, *, classes: int, names: Sequence[str] = (), task: str = "classification"
) -> Any:
    contract = ImageContract(task=task)
    image = np.zeros((3, 12, 16), np.float32)
    modality = ImageModality(Listing((item,)), None, contract)
    return modality.truth(item, image, classes=classes, names=names)


def test_folders_of_classes_are_listed_by_their_names(photos: Path) -> None:
    listing = READERS["imagefolder"].list([str(photos)], None)
    told = {item.name: item.class_label.text for item in listing.items if item.class_label}
    assert sorted(told.values()) == ["cat", "cat", "dog"]
    assert len(told) == 3
    sizes, unreadable = read_usable_sizes(listing)  # there is no label map to compare with
    assert (len(sizes), unreadable) == (3, {})
    truths = {item.path.parent.name: read_truth(item, classes=2) for item in listing.items}
    assert {name: None if t is None else t.tolist() for name, t in truths.items()} == {
        "cat": [0],
        "deep": [0],
        "dog": [1],
    }


def test_a_folder_without_folders_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.png", seed=0)
    with pytest.raises(InputError, match="one folder of pictures for each class"):
        list_class_folders([str(tmp_path)], None)


def test_pictures_of_one_folder_and_a_table(photos: Path) -> None:
    path = table(photos.parent, "dog/x.png,dog\ncat/x.png,cat\ny,cat\n")
    listing = list_images([str(photos)], str(path))
    for item in listing.items:
        assert item.label == path
        assert item.class_label is not None
        truth = read_truth(item, classes=3, names=NAMES)
        assert truth is not None
        assert (truth.dtype, truth.shape) == (np.int32, (1,))
        assert NAMES[truth[0]] == ("dog" if "dog" in item.path.parts else "cat")


def test_truth_of_the_other_kind_is_refused(photos: Path, tmp_path: Path) -> None:
    item = list_class_folders([str(photos)], None).items[0]
    with pytest.raises(InputError, match="expected a label map for each image"):
        read_truth(item, classes=2, task="segmentation")
    maps = tmp_path / "maps"
    maps.mkdir()
    np.save(maps / "x.npy", np.zeros((12, 16), np.uint8))
    mapped = list_images([str(photos / "dog")], str(maps)).items[0]
    with pytest.raises(InputError, match="expected one class for the whole image"):
        read_truth(mapped, classes=2)


def test_classes_are_not_read_by_a_palette(photos: Path) -> None:
    with pytest.raises(ParameterError, match="leave --label-map out"):
        apply_label_encoding(
            list_class_folders([str(photos)], None), palette=None, label_map="ade20k"
        )


def test_photographs_are_not_taken_for_their_own_label_maps(photos: Path) -> None:
    with pytest.raises(InputError, match="--dataset imagefolder"):
        list_images([str(photos)], str(photos))
