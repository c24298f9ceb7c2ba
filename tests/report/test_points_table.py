"""What the table of point clouds says, and what it leaves out."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_schema import check_object
from records import record
from under_table import under_table

from onnxcert.errors import StoreError
from onnxcert.metrics.scores import confusion
from onnxcert.perturbation import Rotation
from onnxcert.report.objects.run import run_object
from onnxcert.report.tables.summary import Summary, summarise
from onnxcert.report.tables.table import headings, row_cells, table
from onnxcert.report.tables.text import format_columns
from onnxcert.results import Record
from onnxcert.results.record import certified_row
from onnxcert.statistics.certificate import ABSTAIN
from onnxcert.statistics.rule import Rule

RULE = Rule(alpha=0.05, correction="bonferroni")
CATEGORIES = [["Bag", [0, 1]], ["Mug", [2, 3, 4]]]
IGNORE = 255
A = ABSTAIN


def shape(
    category: str | None,
    truth: Sequence[int],
    *,
    clean: Sequence[int],
    noisy: Sequence[int],
    certified: Sequence[int],
    rule: Rule = RULE,
    further: Sequence[int] = (),
    **contract: Any,
) -> Record:
    """The record of a shape of a few points; `further` at the rule's second tau."""
    made = record(truth=True, rule=rule, n=100)
    rows = {"clean": clean, "noisy": noisy, "certified": certified}
    if rule.more_taus:
        rows[certified_row(rule.more_taus[0])] = further
    asked = {"medium": "points", "categories": CATEGORIES, "class_names": list("abcde")}
    told = made.provenance.input if category is None else {"category": category}
    abstained = [labels.count(A) for row, labels in rows.items() if row.startswith("certified")]
    return replace(
        made,
        tally=replace(made.tally, kind="points", classes=5),
        confusions={
            row: confusion(np.array(truth), np.array(labels), classes=5, ignore_label=IGNORE)
            for row, labels in rows.items()
        },
        decision=replace(made.decision, components=len(truth), abstained=tuple(abstained)),
        provenance=replace(
            made.provenance,
            input=told,
            contract={k: v for k, v in (asked | contract).items() if v is not None},
        ),
    )


def three(**contract: Any) -> list[Record]:
    """A mug and two bags; the numbers in these tests are worked out by hand."""
    mug = {"clean": [2, 2, 3, 3], "noisy": [2, 2, 3, 2], "certified": [2, 2, 3, A]}
    bag = {"clean": [0, 0, 1, 0], "noisy": [0, 0, 1, 0], "certified": [0, 0, 1, A]}
    lost = {"clean": [0, 1, 1, 0], "noisy": [0, 1, 1, 1], "certified": [A, A, A, A]}
    return [
        shape("Mug", [2, 2, 3, 3], **mug, **contract),
        shape("Bag", [0, 0, 1, 1], **bag, **contract),
        shape("Bag", [0, 1, 1, IGNORE], **lost, **contract),
    ]


def without_labels(made: Record) -> Record:
    return replace(made, confusions={})


def plain(summary: Summary) -> dict[str, Any]:
    found = run_object(summary, out="")
    check_object({"version": 1, "command": "report", **found})
    return found


EXPECTED = """\
3 inputs certified

                       certified     point     class  instance  class
                          radius  accuracy  accuracy       IoU    IoU  abstained
--------------------------------------------------------------------------------
clean                          -     0.909     0.938     0.861  0.896      0.000
base (one noisy pass)          -     0.818     0.812     0.769  0.757      0.000
certified                0.03372     0.545     0.604     0.417  0.438      0.500

Of the certified points that have a label, 1.000 have the right class.

IoU  clean  base (one noisy pass)  certified
--------------------------------------------
a    0.750                  0.750      0.667
b    0.750                  0.750      0.250
c    1.000                  0.667      1.000
d    1.000                  0.500      0.500
e    0.000                  0.000      0.000

                  clean   base  certified  certified
category  shapes    IoU    IoU        IoU   accuracy  abstained
---------------------------------------------------------------
Bag            2  0.792  0.792      0.375      0.429      0.625
Mug            1  1.000  0.722      0.500      0.750      0.250
"""


@pytest.mark.parametrize(
    "categories", [CATEGORIES, (("Bag", (0, 1)), ("Mug", (2, 3, 4)))], ids=["stored", "in memory"]
)
def test_the_table_of_shapes_whose_category_is_known(categories: Any) -> None:
    for order in permutations(three(categories=categories)):
        summary = summarise(order)
        below = under_table(summary, per_class=True)
        assert table(summary, per_class=True) == f"{EXPECTED}\n{below}"
    brief = EXPECTED.split("\n\nIoU ")[0]
    assert table(summary) == f"{brief}\n\n{under_table(summary)}"


def test_the_json_object_of_shapes_whose_category_is_known() -> None:
    found = plain(summarise(three()))
    assert found["clean"] == pytest.approx(
        {
            "accuracy": 10 / 11,
            "miou": 3.5 / 5,
            "class_accuracy": 3.75 / 4,
            "instance_iou": 31 / 36,
            "category_iou": 43 / 48,
        }
    )
    certified = found["certified"]
    assert certified["instance_iou"] == pytest.approx(5 / 12)
    assert certified["category_iou"] == pytest.approx(7 / 16)
    assert certified["class_accuracy"] == pytest.approx((2 / 3 + 1 / 4 + 1 + 1 / 2) / 4)
    assert certified["abstain"] == 0.5
    assert found["nonrobust"] is None
    assert list(found["categories"]) == ["Bag", "Mug"]
    bag = found["categories"]["Bag"]
    assert bag["shapes"] == 2
    assert bag["nonrobust"] is None
    assert bag["noisy"] == pytest.approx({"accuracy": 6 / 7, "iou": 19 / 24})
    assert bag["certified"] == pytest.approx(
        {"tau": 0.75, "accuracy": 3 / 7, "iou": 3 / 8, "abstain": 5 / 8}
    )
    assert bag["taus"] == [bag["certified"]]


def test_several_tau_have_their_own_numbers_in_every_category() -> None:
    rule = replace(RULE, more_taus=(0.9,))
    mug = {"clean": [2, 2, 3, 3], "noisy": [2, 2, 3, 3], "certified": [2, 2, 3, A]}
    bag = {"clean": [0, 1, 1, 0], "noisy": [0, 1, 1, 0], "certified": [0, 1, 1, A]}
    summary = summarise(
        [
            shape("Mug", [2, 2, 3, 3], **mug, rule=rule, further=[A, 2, A, A]),
            shape("Bag", [0, 0, 1, 1], **bag, rule=rule, further=[0, A, 1, A]),
        ]
    )
    found = plain(summary)
    assert [row["instance_iou"] for row in found["taus"]] == pytest.approx(
        [(1 / 2 + (1 / 2 + 1 / 3) / 2) / 2, ((1 / 2 + 0 + 0) / 3 + 1 / 2) / 2]
    )
    for category, abstain in (("Mug", (1 / 4, 3 / 4)), ("Bag", (1 / 4, 1 / 2))):
        each = found["categories"][category]
        assert [row["tau"] for row in each["taus"]] == [0.75, 0.9]
        assert tuple(row["abstain"] for row in each["taus"]) == abstain
        assert each["certified"] == each["taus"][0]
        assert each["taus"][1]["accuracy"] == 1 - abstain[1]
    lines = table(summary, per_class=True).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("category"))
    assert lines[start - 2].split() == ["certified"] * 4
    assert lines[start - 1].split()[:2] == ["clean", "base"]
    assert lines[start - 1].count("tau 0.9") == 3  # IoU, accuracy, abstained
    bag_line = ["Bag", "1", "0.333", "0.333", "0.417", "0.500", "0.500", "0.250", "0.500", "0.500"]
    assert lines[start + 2].split() == bag_line


def test_points_and_not_shapes_count_alike_in_what_abstains() -> None:
    small = shape("Mug", [2], clean=[2], noisy=[2], certified=[A])
    large = shape("Mug", [2] * 9, clean=[2] * 9, noisy=[2] * 9, certified=[2] * 9)
    summary = summarise([small, large])
    assert summary.categories["Mug"].abstain == (1 / 10,)
    assert summary.rows["certified"].abstain == 1 / 10
    certified = summary.rows["certified"].parts
    assert certified is not None
    # Of the shapes each counts alike: of the small one part 2 is missed, and
    # of the two that are not there one may be where it abstains.
    assert certified.instance_iou == pytest.approx((1 / 3 + 1) / 2)


# -- what is left out ------------------------------------------------------------------------------


def test_a_shape_of_no_known_category_counts_as_points_and_not_as_a_shape() -> None:
    boat = {"clean": [0, 0], "noisy": [0, 0], "certified": [0, A]}
    for category in ("Boat", "", None):
        summary = summarise([*three(), shape(category, [1, 0], **boat)])
        assert summary.rows["clean"].parts == summarise(three()).rows["clean"].parts
        assert summary.rows["clean"].scores is not None
        assert summary.rows["clean"].scores.accuracy == 11 / 13
        assert sum(each.shapes for each in summary.categories.values()) == 3
        (note,) = summary.notes
        assert "names: 1 of 4 shapes, left out of instance and class IoU" in note


def test_a_shape_labelled_as_another_category_has_no_iou_and_a_note() -> None:
    wrong = shape("Mug", [0, 1], clean=[0, 1], noisy=[0, 1], certified=[0, A])
    summary = summarise([*three(), wrong])
    certified = summary.rows["certified"].parts
    assert certified is not None
    assert certified.instance_iou == pytest.approx(5 / 12)
    assert summary.categories["Mug"].shapes == 2
    (note,) = summary.notes
    assert "part of its category: 1 of 4 shapes" in note


@pytest.mark.parametrize("contract", [{"categories": None}, {"categories": []}])
def test_clouds_without_categories_have_the_mean_iou_over_classes(contract: Any) -> None:
    summary = summarise(three(**contract))
    assert headings(summary) == [
        *("certified\nradius", "point\naccuracy", "class\naccuracy", "mIoU", "abstained")
    ]
    assert row_cells(summary, summary.rows["clean"]) == ["-", "0.909", "0.938", "0.700", "0.000"]
    found = plain(summary)
    assert found["categories"] is None
    assert set(found["clean"]) == {"accuracy", "miou", "class_accuracy"}
    assert "category" not in table(summary, per_class=True)
    assert summary.notes == ()


def test_an_old_record_knows_neither_medium_nor_categories() -> None:
    old = three(categories=None, medium=None)
    summary = summarise(old)
    assert headings(summary) == ["certified radius", "pixel accuracy", "mIoU", "abstained"]
    assert "class_accuracy" not in plain(summary)["clean"]


def test_without_labels_a_category_still_says_how_much_abstains() -> None:
    summary = summarise(map(without_labels, three()))
    said = table(summary, per_class=True)
    assert "category  shapes  abstained" in said
    assert "Bag            2      0.625" in said
    assert "mIoU" in said
    certified = {"tau": 0.75, "accuracy": None, "iou": None, "abstain": 5 / 8}
    assert plain(summary)["categories"]["Bag"] == {
        "shapes": 2,
        **dict.fromkeys(("nonrobust", "clean", "noisy")),
        "certified": certified,
        "taus": [certified],
    }
    assert summary.notes == ()


def test_one_answer_for_a_whole_shape_is_no_point() -> None:
    summary = summarise(three(task="classification", categories=None))
    assert headings(summary)[1] == "accuracy"
    assert "Of the certified inputs that have a label" in table(summary)


@pytest.mark.parametrize(
    "categories",
    [
        7,
        "Bag",
        ["Bag"],
        [["Bag"]],
        [["Bag", 3]],
        [["Bag", []]],
        [["Bag", [0, 5]]],
        [["Bag", [-1]]],
        [["Bag", [0.0]]],
        [["Bag", [True]]],
        [["Bag", "01"]],
        [[3, [0]]],
        [[["Bag"], [0]]],
        {"Bag": [0, 1]},
    ],
)
def test_categories_that_somebody_damaged_are_refused(categories: Any) -> None:
    with pytest.raises(StoreError, match="categories in the contract of x"):
        summarise(three(categories=categories))


# -- how it is written -----------------------------------------------------------------------------


def test_a_radius_is_written_as_its_perturbation_writes_it() -> None:
    summary: Any = replace(summarise(three()), perturbation=Rotation(0.25))
    assert row_cells(summary, summary.rows["certified"])[0] == "0.03372 rad (1.932 degrees)"
    assert row_cells(summary, summary.rows["clean"])[0] == "-"
    lines = table(summary).splitlines()
    assert "0.03372 rad (1.932 degrees)  " in table(summary)
    assert max(map(len, lines[:7])) <= 100  # of a terminal


@given(
    st.lists(st.lists(st.from_regex(r"[a-z]{0,9}", fullmatch=True), min_size=1, max_size=3)),
    st.integers(0, 3),
)
def test_headings_of_several_lines_stand_over_their_columns(
    heads: list[list[str]], rows: int
) -> None:
    table_ = [["", *map("\n".join, heads)], *[["row", *("1.000" for _ in heads)]] * rows]
    lines = format_columns(table_)
    tall = max([1, *map(len, heads)])
    assert len(lines) == tall + 1 + rows
    rule = lines[tall]
    assert set(rule) <= {"-"}
    right = len("row") if rows else 0
    for head in heads:
        wide = max(*map(len, head), 5 if rows else 0)
        right += 2 + wide
        # The last line of a heading is the one over the rule, and all end with their column.
        for i, line in enumerate(reversed(head)):
            whole = lines[tall - 1 - i].ljust(len(rule))
            assert whole[right - wide : right] == line.rjust(wide)
    assert right == len(rule)


# -- many shapes -----------------------------------------------------------------------------------


def test_records_are_let_go_as_they_are_counted() -> None:
    template = three()
    seen: list[weakref.ref[Any]] = []

    def stream() -> Iterator[Record]:
        for i in range(30):
            made = template[i % 3]
            matrices = {row: np.array(matrix) for row, matrix in made.confusions.items()}
            seen.extend(map(weakref.ref, matrices.values()))
            yield replace(made, name=f"s{i}", confusions=matrices)
            del matrices
            gc.collect()
            # The one just counted, which the summary compares the next one with.
            assert sum(ref() is not None for ref in seen) <= 2 * 3

    gc.collect()
    gc.freeze()  # what other tests left behind need not be looked at thirty times
    try:
        summary = summarise(stream())
    finally:
        gc.unfreeze()
    assert summary.categories["Bag"].shapes == 20
    assert summary.rows["clean"].parts is not None
    assert summary.rows["clean"].parts.instance_iou == pytest.approx(31 / 36)
