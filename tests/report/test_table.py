"""The table of pictures: what it says, to the byte."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from json_schema import check_object
from records import record
from under_table import under_table

from onnxcert.metrics.scores import Curve
from onnxcert.report.objects.run import run_object
from onnxcert.report.tables.summary import Summary, summarise
from onnxcert.report.tables.table import table
from onnxcert.statistics.rule import Rule

CONFUSIONS = {
    "nonrobust": [[20, 2, 0, 0], [1, 9, 0, 0], [0, 0, 8, 0]],
    "clean": [[19, 3, 0, 0], [1, 9, 0, 0], [0, 1, 7, 0]],
    "noisy": [[18, 3, 1, 0], [2, 8, 0, 0], [0, 1, 7, 0]],
    "certified": [[15, 1, 0, 6], [0, 7, 0, 3], [0, 0, 5, 3]],
    "certified tau=0.9": [[11, 0, 0, 11], [0, 5, 0, 5], [0, 0, 4, 4]],
}


def summary_of(*, truth: bool = True, kind: str = "", **options: Any) -> Summary:
    """Of two pictures with known confusion matrices."""
    made = record("x", truth=truth, nonrobust=True, n=100, **options)
    more = len(made.decision.rule.more_taus)
    made = replace(
        made,
        tally=replace(made.tally, kind=kind or made.tally.kind),
        confusions={row: np.array(CONFUSIONS[row]) for row in made.confusions},
        decision=replace(made.decision, abstained=(13, 21)[: 1 + more]),
        curve=Curve(
            np.array([0.03, 0.0512345, 0.1]),
            np.array([30, 20, 0]),
            np.array([28, 19, 0]),
            42,
            40,
        ),
    )
    return summarise([made, replace(made, name="y")])


ONE_TAU = """\
2 inputs certified

                       certified radius  pixel accuracy   mIoU  abstained
-------------------------------------------------------------------------
non-robust                            -           0.925  0.873      0.000
clean                                 -           0.875  0.781      0.000
base (one noisy pass)                 -           0.825  0.700      0.000
certified                       0.03372           0.675  0.648      0.310

Of the certified pixels that have a label, 0.964 have the right class.

IoU  non-robust  clean  base (one noisy pass)  certified
--------------------------------------------------------
a         0.870  0.826                  0.750      0.682
b         0.750  0.643                  0.571      0.636
c         1.000  0.875                  0.778      0.625
"""
TWO_TAU = """\
2 inputs certified

                       certified radius  pixel accuracy   mIoU  abstained
-------------------------------------------------------------------------
non-robust                            -           0.925  0.873      0.000
clean                                 -           0.875  0.781      0.000
base (one noisy pass)                 -           0.825  0.700      0.000
certified (tau 0.75)            0.03372           0.675  0.648      0.310
certified (tau 0.9)             0.06407           0.500  0.500      0.500

Of the certified pixels that have a label (tau 0.75), 0.964 have the right class.

IoU  non-robust  clean  base (one noisy pass)  certified (tau 0.75)  certified (tau 0.9)
----------------------------------------------------------------------------------------
a         0.870  0.826                  0.750                 0.682                0.500
b         0.750  0.643                  0.571                 0.636                0.500
c         1.000  0.875                  0.778                 0.625                0.500
"""
NO_LABELS = """\
2 inputs certified

                       certified radius  pixel accuracy  mIoU  abstained
------------------------------------------------------------------------
non-robust                            -               -     -      0.000
clean                                 -               -     -      0.000
base (one noisy pass)                 -               -     -      0.000
certified                       0.03372               -     -      0.310
"""
CLASSIFIER = """\
2 inputs certified

                       certified radius  accuracy   mIoU  abstained
-------------------------------------------------------------------
non-robust                            -     0.925  0.873      0.000
clean                                 -     0.875  0.781      0.000
base (one noisy pass)                 -     0.825  0.700      0.000
certified                       0.03372     0.675  0.648      0.310

Of the certified inputs that have a label, 0.964 have the right class.

IoU  non-robust  clean  base (one noisy pass)  certified
--------------------------------------------------------
a         0.870  0.826                  0.750      0.682
b         0.750  0.643                  0.571      0.636
c         1.000  0.875                  0.778      0.625
"""
# The number 0.03 is a little below what is written; a radius is never shown above itself.
RADIUS_MAP = """\
2 inputs certified

                       certified radius  pixel accuracy   mIoU  abstained
-------------------------------------------------------------------------
non-robust                            -           0.925  0.873      0.000
clean                                 -           0.875  0.781      0.000
base (one noisy pass)                 -           0.825  0.700      0.000
certified                       0.03372           0.675  0.648      0.310

Of the certified pixels that have a label, 0.964 have the right class.

radius at least  certified  accuracy
------------------------------------
0.02999              0.714     0.700
0.05123              0.476     0.475

IoU  non-robust  clean  base (one noisy pass)  certified
--------------------------------------------------------
a         0.870  0.826                  0.750      0.682
b         0.750  0.643                  0.571      0.636
c         1.000  0.875                  0.778      0.625
"""

BONFERRONI = Rule(alpha=0.05, correction="bonferroni")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rule": BONFERRONI}, ONE_TAU),
        ({"rule": replace(BONFERRONI, more_taus=(0.9,))}, TWO_TAU),
        ({"rule": BONFERRONI, "truth": False}, NO_LABELS),
        ({"rule": BONFERRONI, "kind": "the whole picture"}, CLASSIFIER),
        ({"rule": replace(BONFERRONI, radius_map=True)}, RADIUS_MAP),
    ],
)
def test_the_table_of_pictures(options: dict[str, Any], expected: str) -> None:
    summary = summary_of(**options)
    below = under_table(summary, per_class=True)
    assert "abstain" in below.split("\n\n")[0]
    assert table(summary, per_class=True) == f"{expected}\n{below}"


def test_the_object_of_pictures_has_nothing_of_clouds() -> None:
    found = run_object(summary_of(rule=replace(BONFERRONI, more_taus=(0.9,))), out="out")
    assert list(found) == [
        *("model", "inputs", "perturbation", "rule", "draws", "guarantee"),
        *("nonrobust", "clean", "noisy", "certified", "taus", "curve", "categories"),
        *("abstention", "warnings", "seconds", "out"),
    ]
    assert found["inputs"]["components"] == 42
    assert found["clean"] == {"accuracy": 0.875, "miou": 0.7813146997929606}
    assert found["certified"] == {
        "tau": 0.75,
        "radius": 0.03372448750977036,
        "abstain": 0.30952380952380953,
        "accuracy": 0.675,
        "miou": 0.6477272727272727,
        "accuracy_certified": 0.9642857142857143,
    }
    assert [(row["tau"], row["abstain"]) for row in found["taus"]] == [
        (0.75, 0.30952380952380953),
        (0.9, 0.5),
    ]
    assert (found["curve"], found["categories"], found["seconds"]) == (None, None, None)
    check_object({"version": 1, "command": "report", **found})


def test_the_object_of_a_radius_map_has_its_curve() -> None:
    found = run_object(summary_of(rule=replace(BONFERRONI, radius_map=True)), out="")
    assert found["curve"]["radius"] == [0.03, 0.0512345, 0.1]
    assert found["curve"]["certified"] == pytest.approx([60 / 84, 40 / 84, 0])
    assert found["rule"]["radius_map"] == {"floor": 0.5}
    check_object({"version": 1, "command": "report", **found})
