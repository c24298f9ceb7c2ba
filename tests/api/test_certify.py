"""One input, one call: what is accepted, what is refused, what is done once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import numpy.typing as npt
import pytest

import onnxcert

Array = npt.NDArray[Any]


def test_a_picture_is_certified_in_one_call(tmp_path: Path) -> None:
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    pixels = np.full((3, 8, 8), 0.1, np.float32)
    pixels[:, :, 4:] = 0.9
    pixels[:, 0] = 0.5
    for given in (model, str(model), onnxcert.OnnxSegmenter.open(model)):
        certificate = onnxcert.certify(given, pixels, onnxcert.Gaussian(0.25), seed=1)
        assert isinstance(certificate, onnxcert.Certificate)
        assert isinstance(certificate.tally, onnxcert.Tally)
        assert certificate.labels.shape == (8, 8)
        assert (certificate.labels[1:, :4] == 0).all()
        assert (certificate.labels[1:, 4:] == 1).all()
        assert (certificate.labels[0] == onnxcert.ABSTAIN).all()
        assert certificate.abstain_share == 1 / 8
        assert certificate.radius == pytest.approx(0.25 * 0.6744897501960817)
        assert certificate.radius <= 0.25 * 0.6744897501960817
        assert "1 - 0.001 over" in certificate.statement()


def test_a_model_of_points_or_of_one_answer_is_a_callable_like_any_other() -> None:
    def classifier(batch: Array) -> Array:
        return np.asarray(batch.mean(axis=(1, 2)) > 0.5, np.int64)

    one = onnxcert.certify(
        classifier, np.full((5, 3), 0.9, np.float32), onnxcert.Gaussian(0.1), classes=2
    )
    assert one.labels.shape == ()
    assert int(one.labels) == 1

    def points(batch: Array) -> Array:
        return np.asarray(batch[:, :, 2] > 0.5, np.uint8)

    cloud = np.random.default_rng(0).uniform(0, 1, (20, 3)).astype(np.float32)
    assert onnxcert.certify(
        points, cloud, onnxcert.Gaussian(0.01), classes=2, unit="metres"
    ).labels.shape == (20,)


@pytest.mark.parametrize(
    ("x", "word"),
    [
        (np.zeros((3, 8, 8), np.int64), "range="),
        (np.full((3, 8, 8), 200.0), "range="),
        (np.full((3, 8, 8), np.nan), "finite"),
        (np.zeros((8, 3, 8)), "3, height, width"),
        (np.zeros((1, 3, 8, 8)), "3, height, width"),
        (np.zeros((3, 0, 8)), "3, height, width"),
        (np.zeros((3, 8, 3)), "layout="),
        (np.zeros((8, 8)), "3, height, width"),
        ("there-is-none.png", "no such|there is none"),
        (object(), "array"),
    ],
    ids=[
        *("64 bit", "0 to 255", "NaN", "channels in the middle", "with a batch", "empty"),
        *("two layouts", "grey", "no file", "no array"),
    ],
)
def test_a_picture_that_is_none_is_refused(tmp_path: Path, x: Array, word: str) -> None:
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    with pytest.raises(onnxcert.OnnxcertError, match=word):
        onnxcert.certify(model, x, onnxcert.Gaussian(0.25))


def test_options_of_a_file_do_not_apply_to_a_callable() -> None:
    with pytest.raises(onnxcert.OnnxcertError, match="threads"):
        onnxcert.certify(
            lambda b: b[:, 0].astype(int),
            np.zeros((1, 2), np.float32),
            onnxcert.Gaussian(0.1),
            classes=2,
            threads=1,
        )


def test_a_callable_must_say_how_many_classes_it_has() -> None:
    with pytest.raises(onnxcert.OnnxcertError, match="classes"):
        onnxcert.certify(
            lambda b: b[:, 0].astype(int), np.zeros((1, 2), np.float32), onnxcert.Gaussian(0.1)
        )


@pytest.mark.parametrize(
    "answer",
    [
        lambda batch: batch[:, 0],
        lambda batch: batch[:1, 0].astype(int),
        lambda batch: np.zeros((len(batch), 0), int),
        lambda _: np.int64(0),
    ],
    ids=["scores", "one row", "nothing", "a number"],
)
def test_a_callable_that_returns_no_labels_is_refused(answer: object) -> None:
    with pytest.raises(onnxcert.OnnxcertError, match="labels"):
        onnxcert.certify(
            answer,  # type: ignore[arg-type]
            np.zeros((1, 2), np.float32),
            onnxcert.Gaussian(0.1),
            classes=2,
            seed=0,
        )
