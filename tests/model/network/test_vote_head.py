"""A score that is not finite is no vote, and rows that only fill a batch are none either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest

import onnxcert
from onnxcert import ABSTAIN, Gaussian, OnnxSegmenter
from onnxcert.statistics.certificate import Certificate

NAN, INF = float("nan"), float("inf")


def opened(proto: onnx.ModelProto, folder: Path, **options: Any) -> OnnxSegmenter:
    return OnnxSegmenter.open(graphs.save(proto, folder / "model.onnx"), threads=1, **options)


def hot_and_cold() -> np.ndarray[Any, Any]:
    """A picture whose right half is red."""
    pixels = np.random.default_rng(5).uniform(0.2, 0.4, (3, 8, 10)).astype(np.float32)
    pixels[0, :, 5:] = 0.95
    return pixels


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("channels", [[0], [1], [2], [0, 1, 2]])
def test_a_pixel_with_any_score_that_is_not_finite_has_no_label(
    tmp_path: Path, value: float, channels: list[int]
) -> None:
    x = hot_and_cold()
    sound = opened(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "sound")(x[None])[0]
    labels = opened(graphs.poisoned(value, level=0.9, channels=channels), tmp_path)(x[None])[0]
    hot = x[0] > 0.9
    assert (labels[hot] == 255).all()
    assert np.array_equal(labels[~hot], sound[~hot])


def test_opposite_infinities_do_not_cancel(tmp_path: Path) -> None:
    up = graphs.poisoned(INF, level=0.9, channels=[0])
    bad = next(w for w in up.graph.initializer if w.name == "bad")
    bad.CopyFrom(
        onnx.numpy_helper.from_array(
            np.array([INF, -INF, 0], np.float32).reshape(1, 3, 1, 1), "bad"
        )
    )
    x = hot_and_cold()
    assert (opened(up, tmp_path)(x[None])[0][x[0] > 0.9] == 255).all()


def test_large_finite_scores_are_votes(tmp_path: Path) -> None:
    weight = np.zeros((3, 3, 1, 1))
    weight[2, 0] = 1e30
    labels = opened(graphs.conv(3, weight=weight, contract=graphs.UNIT_RANGE), tmp_path)
    assert (labels(hot_and_cold()[None]) == 2).all()


def test_at_lower_resolution_no_pixel_is_labelled_by_a_score_that_is_not_finite(
    tmp_path: Path,
) -> None:
    proto = graphs.model(
        f"""({graphs.IMAGES} image) => (float[batch, 3, h, w] scores) {{
            small = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(image)
            left = Sub(level, small)
            scores = Sqrt(left)
        }}""",
        graphs.UNIT_RANGE,
        level=0.9,
    )
    x = hot_and_cold()
    x[:, :, 5] = 0.3  # the cells of the coarse grid start in column 6
    labels = opened(proto, tmp_path)(x[None])[0]
    assert (labels[:, 6:] == 255).all()
    # One neighbouring pixel is interpolated from a score that is NaN; the rest is untouched.
    assert (labels[:, :5] < 3).all()


@pytest.mark.parametrize("selection", ["pooled", "split"])
def test_withheld_votes_are_counted_and_never_certify(tmp_path: Path, selection: Any) -> None:
    x = hot_and_cold()
    certificate = onnxcert.certify(
        graphs.save(graphs.poisoned(NAN, level=0.7, channels=[0, 1, 2]), tmp_path / "model.onnx"),
        x,
        Gaussian(0.02),
        selection=selection,
        seed=1,
        threads=1,
    )
    hot = x[0] > 0.7
    assert (certificate.labels[hot] == ABSTAIN).all()
    assert (certificate.labels[~hot] != ABSTAIN).mean() > 0.5
    assert (certificate.tally.hits[hot] == 0).all()
    draws = 100 if selection == "pooled" else 110
    assert certificate.tally.nonfinite == hot.sum() * draws


def test_a_pixel_that_is_finite_in_some_draws_keeps_those_votes_alone(tmp_path: Path) -> None:
    # Red is 0.5 +- 0.1 and NaN above 0.5: half of the votes are withheld.
    x = np.full((3, 16, 16), 0.5, np.float32)
    weight = np.zeros((2, 3, 1, 1))
    tally = onnxcert.certify(
        graphs.save(
            graphs.poisoned(
                NAN, level=0.5, channels=[0], classes=2, weight=weight, bias=np.array([0.0, 1.0])
            ),
            tmp_path / "model.onnx",
        ),
        x,
        Gaussian(0.1),
        seed=3,
        threads=1,
    ).tally
    assert (tally.candidate == 1).all()
    assert tally.nonfinite + tally.hits.sum() == 100 * 256
    assert abs(tally.hits.mean() - 50) < 2


def test_a_model_that_is_nan_everywhere_abstains_everywhere_and_says_why(tmp_path: Path) -> None:
    certificate = onnxcert.certify(
        graphs.save(graphs.poisoned(NAN, level=-1e9, channels=[0, 1, 2]), tmp_path / "model.onnx"),
        hot_and_cold(),
        Gaussian(0.25),
        threads=1,
    )
    assert everything_abstains(certificate)
    assert certificate.tally.nonfinite == 100 * 80
    assert any("8000 votes" in note and "not finite" in note for note in certificate.notes)


def everything_abstains(certificate: Certificate) -> bool:
    return certificate.abstain_share == 1 and bool((certificate.labels == ABSTAIN).all())


# -- fixed batch ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 3, 4, 8])
def test_a_fixed_batch_gives_the_labels_of_a_free_one(tmp_path: Path, rows: int) -> None:
    batch = np.random.default_rng(0).normal(0.5, 0.4, (7, 3, 8, 8)).astype(np.float32)
    free = opened(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "free")
    fixed = opened(graphs.conv(batch=rows, contract=graphs.UNIT_RANGE), tmp_path / "fixed")
    assert fixed.contract.batch == rows
    for length in (1, 2, 3, 4, 7):
        assert np.array_equal(fixed(batch[:length]), free(batch[:length]))


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_rows_that_only_fill_the_batch_are_never_counted(
    tmp_path: Path, selection: Any, batch_size: int
) -> None:
    options: dict[str, Any] = {"selection": selection, "seed": 9, "threads": 1, "n": 60, "n0": 7}
    x = np.random.default_rng(1).uniform(0, 1, (3, 8, 8)).astype(np.float32)
    free, fixed = (
        onnxcert.certify(
            graphs.save(
                graphs.conv(batch=batch, contract=graphs.UNIT_RANGE), tmp_path / f"{batch}.onnx"
            ),
            x,
            Gaussian(0.3),
            batch_size=size,
            **options,
        ).tally
        for batch, size in (("free", 1), (4, batch_size))
    )
    assert np.array_equal(free.candidate, fixed.candidate)
    assert np.array_equal(free.hits, fixed.hits)
    assert np.array_equal(free.single, fixed.single)
