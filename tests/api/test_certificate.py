"""What a certificate of one input knows: scores, figure, page, data set, file."""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import onnxcert as oc
from onnxcert.api.certificate import InputCertificate

Array = npt.NDArray[Any]


def halves() -> Array:
    """A dark half, a bright half, and a first row where the model cannot decide."""
    image = np.full((3, 8, 10), 0.1, np.float32)
    image[:, :, 5:] = 0.9
    image[:, 0] = 0.5
    return image


@pytest.fixture
def model(tmp_path: Path) -> oc.OnnxSegmenter:
    return oc.load(graphs.save(graphs.threshold(), tmp_path / "model.onnx"), threads=1)


@pytest.fixture
def certificate(model: oc.OnnxSegmenter) -> InputCertificate:
    return oc.certify(model, halves(), sigma=0.25, seed=1, class_names=["dark", "bright"])


def test_it_is_a_certificate_with_its_input(certificate: InputCertificate) -> None:
    assert isinstance(certificate, oc.Certificate)
    assert certificate.class_names == ("dark", "bright")
    assert certificate.clean.shape == certificate.labels.shape == (8, 10)
    again = oc.decide(certificate.tally, certificate.rule)
    np.testing.assert_array_equal(again.labels, certificate.labels)
    assert again.statement() == certificate.statement()


def test_repr_shows_components_share_and_radius(certificate: InputCertificate) -> None:
    shown = repr(certificate)
    assert "80 pixels" in shown
    assert "87.5 %" in shown  # all but the first of eight rows
    assert "0.1686" in shown
    assert "\n" not in shown


def test_a_page_shows_the_figure_and_the_summary(certificate: InputCertificate) -> None:
    page = certificate._repr_html_()
    assert "87.5 %" in page
    encoded = re.search(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"', page)
    assert encoded is not None
    with Image.open(io.BytesIO(base64.b64decode(encoded[1]))) as shown:
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(certificate.plot()))


def test_accuracy_counts_certified_and_right(certificate: InputCertificate, tmp_path: Path) -> None:
    truth = np.zeros((8, 10), np.int64)
    truth[:, 5:] = 1
    assert certificate.accuracy(truth) == 70 / 80  # the first row abstains
    truth[1] = 1 - truth[1]
    assert certificate.accuracy(truth) == 60 / 80
    assert certificate.accuracy(np.where(truth == 1, 255, 0), ignore_label=255) == 30 / 40
    Image.fromarray(truth.astype(np.uint8)).save(tmp_path / "truth.png")
    assert certificate.accuracy(tmp_path / "truth.png") == 60 / 80
    assert certificate.accuracy(pytest.importorskip("torch").from_numpy(truth)) == 60 / 80


@pytest.mark.parametrize(
    ("truth", "match"),
    [(np.zeros((8, 9), int), "shape"), (np.zeros((8, 10)), "integers"), (np.full((8, 10), 7), "7")],
    ids=["another size", "floats", "no class"],
)
def test_labels_that_do_not_fit_are_refused(
    certificate: InputCertificate, truth: Array, match: str
) -> None:
    with pytest.raises(oc.OnnxcertError, match=match):
        certificate.accuracy(truth)


def test_the_figure_is_that_of_a_run(model: oc.OnnxSegmenter, tmp_path: Path) -> None:
    pixels = (255 * halves()).astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(pixels).save(tmp_path / "scene.png")
    Image.fromarray((halves()[0] > 0.5).astype(np.uint8)).save(tmp_path / "truth.png")
    words: dict[str, Any] = {"sigma": 0.25, "seed": 1}
    oc.certify_many(
        model,
        tmp_path / "scene.png",
        labels=tmp_path / "truth.png",
        out=tmp_path / "out",
        **words,
    )
    one = oc.certify(model, tmp_path / "scene.png", **words)
    one.plot(tmp_path / "one.png", truth=tmp_path / "truth.png")
    with (
        Image.open(tmp_path / "one.png") as own,
        Image.open(tmp_path / "out" / "pictures" / "scene.png") as other,
    ):
        np.testing.assert_array_equal(np.asarray(own), np.asarray(other))


def test_what_is_no_image_has_no_figure_but_a_page() -> None:
    def label(batch: Array) -> Array:
        return np.asarray(batch > 1.0, np.int64)

    certificate = oc.certify(
        label, np.array([0.0, 2.0], np.float32), oc.Gaussian(0.1), classes=2, n=60
    )
    with pytest.raises(oc.OnnxcertError, match="a figure needs an image"):
        certificate.plot()
    assert certificate._repr_html_() == f"<p>{certificate.summary()}</p>"
    assert "2 components" in repr(certificate)


def test_a_data_set_has_named_axes_and_the_settings(certificate: InputCertificate) -> None:
    found = certificate.to_xarray()
    assert found["labels"].dims == ("y", "x")
    np.testing.assert_array_equal(found["labels"], certificate.labels)
    np.testing.assert_array_equal(found["hits"], certificate.tally.hits)
    np.testing.assert_array_equal(found["radii"], certificate.radii)
    assert found.attrs["statement"] == certificate.statement()
    assert found.attrs["sigma"] == 0.25


def test_without_xarray_one_sentence_says_so(
    certificate: InputCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(oc.OnnxcertError, match=r"xarray, which is not installed; install it"):
        certificate.to_xarray()


def label_bright(batch: Array) -> Array:
    return np.asarray(batch.mean(axis=1) > 0.5, np.int64)


@pytest.mark.parametrize("channels", [1, 3, 5, None])
def test_a_saved_certificate_of_a_function_can_be_verified(
    channels: int | None, tmp_path: Path
) -> None:
    image = halves()[:1].repeat(channels or 3, axis=0)
    model = oc.wrap(label_bright, classes=2, channels=channels)
    certificate = oc.certify(model, image, sigma=0.25, seed=1)
    found = oc.verify(certificate.save(tmp_path / "one.h5"))
    assert found.fits
    assert found.records == 1


def test_save_writes_what_report_verify_and_decide_accept(
    certificate: InputCertificate, onnxcert: Any, tmp_path: Path
) -> None:
    path = certificate.save(tmp_path / "one.h5")
    found = oc.verify(path)
    assert (found.records, found.findings, found.troubles) == (1, (), ())
    stored = oc.report(path).summary
    assert (stored.inputs, stored.components, stored.radius) == (1, 80, certificate.radius)
    again = oc.redecide(path, tau=0.6)
    assert again.warning
    for command in ("verify", "report", "decide"):
        assert onnxcert(command, path).status == 0
    with pytest.raises(oc.OnnxcertError, match="exists already"):
        certificate.save(path)


def test_a_saved_file_is_verified_against_its_image(
    model: oc.OnnxSegmenter, tmp_path: Path
) -> None:
    np.save(tmp_path / "scene.npy", halves())
    path = oc.certify(model, tmp_path / "scene.npy", sigma=0.25).save(tmp_path / "one.h5")
    assert oc.verify(path).unchecked == ()
    np.save(tmp_path / "scene.npy", halves()[:, ::-1])
    (finding,) = oc.verify(path).findings
    assert "differs from the certified input" in finding.text


def test_a_later_change_of_the_array_changes_no_figure(model: oc.OnnxSegmenter) -> None:
    image = halves()
    certificate = oc.certify(model, image, sigma=0.25, seed=1)
    before = np.asarray(certificate.plot())
    image[:] = 0
    np.testing.assert_array_equal(np.asarray(certificate.plot()), before)


def test_true_classes_beyond_32_bits_are_refused(certificate: InputCertificate) -> None:
    truth = np.full((8, 10), 2**32 + 1)
    with pytest.raises(oc.OnnxcertError, match="at most 2147483647, got 4294967297"):
        certificate.accuracy(truth)
