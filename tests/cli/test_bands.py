"""Models of bands on the command line, from the question to the report; and refused ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from drawing import write_picture
from encoders import bands_tiff
from PIL import Image

CERTIFY = ("--range", "0,1", "--sigma", "0.03", "--n", "80", "--seed", "1", "--threads", "1")
NAMES = ("--channels-are", "blue,green,red,nir")

pytestmark = pytest.mark.usefixtures("bench")


def infrared(path: Path, **options: Any) -> Path:
    """Class 1 where the last of four bands exceeds 1/4, and nothing else of them counts."""
    weight = np.zeros((2, 4, 1, 1))
    weight[1, 3] = 8
    text = "(float[n, 4, h, w] x) => (float[n, 2, h, w] y) { y = Conv(x, weight, bias) }"
    return graphs.save(graphs.model(text, weight=weight, bias=[2.0, 0.0], **options), path)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of four bands, and an image whose last band alone is bright, on its left half."""
    monkeypatch.chdir(tmp_path)
    infrared(Path("model.onnx"))
    values = np.zeros((16, 20, 4), np.float32)
    values[:, :10, 3] = 1
    Path("four").mkdir()
    np.save("four/bands.npy", values)
    write_picture(Path("photo.png"), seed=0)
    return tmp_path


def answer(folder: str, name: str = "bands") -> np.ndarray:
    labels: np.ndarray = np.load(Path(folder, "labels", f"{name}.npy"))
    return labels


def left_half(labels: np.ndarray) -> None:
    np.testing.assert_array_equal(labels, np.repeat([[1] * 10 + [0] * 10], 16, axis=0))


def test_four_channels_are_asked_for_and_not_taken_for_a_photograph(onnxcert: Any) -> None:
    for command in (("certify", "model.onnx", "photo.png", *CERTIFY), ("inspect", "model.onnx")):
        outcome = onnxcert(*command)
        assert outcome.status == 2
        assert "pass --channels-are rgba or --channels-are bands" in outcome.err
        assert "--channels-are: what the 4 channels are" in outcome.err
        assert sum(line.startswith("onnxcert: ") for line in outcome.err.splitlines()) == 1
    offered = onnxcert("inspect", "model.onnx", "--range", "0,1").out
    for value in ("rgba", "bands", "blue,green,red,nir"):
        line = f"onnxcert certify model.onnx PICTURES --range 0,1 --channels-are {value}\n"
        assert line in offered
    assert not Path("onnxcert-results").exists()


@pytest.mark.parametrize("said", [NAMES, ("--channels-are", "bands"), ("--channels-are", "BANDS")])
def test_the_array_of_the_bands_is_certified(onnxcert: Any, said: Any) -> None:
    outcome = onnxcert("certify", "model.onnx", "four", *CERTIFY, *said, "--out", "out")
    assert outcome.status == 0, outcome.err
    left_half(answer("out"))
    named = " blue, green, red, nir" if said == NAMES else ""
    assert f"values in [0, 1] of the 4 bands{named} at native resolution" in outcome.out
    assert "every perturbation d of the input with L2 norm" in outcome.out
    assert onnxcert("verify", "out").status == 0
    assert onnxcert("verify", "out", "--inputs", "four").status == 0
    values = np.load("four/bands.npy")
    values[3, 4, 1] = 0.5
    np.save("four/bands.npy", values)
    assert onnxcert("verify", "out").status == 1


def test_a_photograph_is_no_image_of_four_bands(onnxcert: Any) -> None:
    outcome = onnxcert("certify", "model.onnx", "photo.png", *CERTIFY, *NAMES, "--out", "out")
    assert outcome.status == 2
    assert "photo.png: expected the 4 bands of the model (blue, green, red, nir)" in outcome.err
    # With others that can be read it is skipped, and said so.
    outcome = onnxcert("certify", "model.onnx", "four", "photo.png", *CERTIFY, *NAMES, "--out", "o")
    assert outcome.status == 3
    assert "skipped photo" in outcome.err
    left_half(answer("o"))


def test_a_photograph_gets_an_alpha_channel_where_the_user_says_rgba(onnxcert: Any) -> None:
    outcome = onnxcert(
        "certify", "model.onnx", "photo.png", *CERTIFY, "--channels-are", "rgba", "--out", "out"
    )
    assert outcome.status == 0, outcome.err
    assert (answer("out", "photo") == 1).all()  # the fourth channel is 1 everywhere
    outcome = onnxcert(
        "certify", "model.onnx", "four", *CERTIFY, "--channels-are", "rgba", "--out", "other"
    )
    assert outcome.status == 2


def test_every_kind_of_file_gives_the_same_certificate(onnxcert: Any) -> None:
    values = np.load("four/bands.npy")
    whole = (values * 65535).astype(np.uint16)
    np.save("first.npy", np.moveaxis(values, -1, 0))
    np.savez("one.npz", values)
    np.savez("each.npz", **{name: whole[..., i] for i, name in enumerate(NAMES[1].split(","))})
    Path("deep.tif").write_bytes(bands_tiff(whole, planar=True, compression=8))
    Path("floats.tiff").write_bytes(bands_tiff(values, order=">", tile=(16, 16)))
    files = ("first.npy", "one.npz", "each.npz", "deep.tif", "floats.tiff")
    outcome = onnxcert("certify", "model.onnx", "four", *files, *CERTIFY, *NAMES, "--out", "out")
    assert outcome.status == 0, outcome.err
    for name in ("bands", *(Path(file).stem for file in files)):
        left_half(answer("out", name))


@pytest.mark.parametrize(
    ("on", "described"),
    [
        ("nir", "nir (channel 3)"),
        ("red, nir", "red, nir (channels 2 to 3)"),
        ("nir,green,red", "green, red, nir (channels 1 to 3)"),
        ("2:4", "channels 2 to 3"),
        ("nir,blue", "blue, nir (channels 0, 3)"),
    ],
)
def test_noise_on_some_bands_is_said_so(onnxcert: Any, on: str, described: str) -> None:
    outcome = onnxcert("certify", "model.onnx", "four", *CERTIFY, *NAMES, "--on", on, "--out", "o")
    assert outcome.status == 0, outcome.err
    assert f"gaussian sigma 0.03 on {described}" in outcome.out
    assert f"every perturbation d of {'' if 'nir' in on else 'the '}{described}" in outcome.out
    left_half(answer("o"))


def test_a_band_without_noise_stays_as_it_is(onnxcert: Any) -> None:
    """The answer hangs on the last band alone: noise on the others changes nothing of it."""
    values = np.load("four/bands.npy")
    values[..., 3] = 0.2501  # just above the threshold
    np.save("four/bands.npy", values)
    for on, share in (("blue,green,red", 0.0), ("nir", 1.0), ("blue,nir", 1.0), ("blue,red", 0.0)):
        outcome = onnxcert(
            *("certify", "model.onnx", "four", *CERTIFY, *NAMES, "--on", on, "--out", on)
        )
        assert outcome.status == 0, outcome.err
        assert (answer(on) == -1).mean() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((*NAMES, "--on", "infrared"), "band names (blue, green, red, nir)"),
        ((*NAMES, "--on", "0:5"), "at most 0:4"),
        ((*NAMES, "--on", ""), "band names"),
        (("--channels-are", "blue,green,red"), "3 bands are named (blue, green, red)"),
        (("--channels-are", "rgb"), "--channels-are bands"),
        (("--channels-are", "rbga"), "bands such as blue,green,red,nir, got"),
        (("--channels-are", ""), "nir, got ''"),
        (("--channels-are", "a,b,,d"), "must be rgb"),
        (("--channels-are", "a,a,b,c"), "rename those that are equal"),
        ((*NAMES, "--channel-order", "RGBA"), "give only one of them"),
        ((*NAMES, "--mean", "1,2,3"), "each of the 4 channels (blue, green, red, nir)"),
    ],
)
def test_what_does_not_fit_the_bands_is_refused_in_a_sentence(
    onnxcert: Any, said: tuple[str, ...], words: str
) -> None:
    outcome = onnxcert("certify", "model.onnx", "four", *CERTIFY, *said, "--out", "out")
    assert (outcome.status, outcome.out) == (2, "")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1
    assert not Path("out").exists()


def test_the_file_may_say_it_once_for_all(onnxcert: Any) -> None:
    stored = onnxcert("inspect", "model.onnx", "--range", "0,1", *NAMES, "--write", "with.onnx")
    assert stored.status == 0, stored.err
    assert "bands            blue, green, red, nir            (given)" in stored.out
    outcome = onnxcert("certify", "with.onnx", "four", *CERTIFY[2:], "--out", "out")
    assert outcome.status == 0, outcome.err
    left_half(answer("out"))
    assert onnxcert("inspect", "with.onnx").status == 0


def test_the_answer_on_bands_is_drawn(onnxcert: Any) -> None:
    outcome = onnxcert(
        *("inspect", "model.onnx", "four/bands.npy", "--range", "0,1", *NAMES, "--out", "a.png")
    )
    assert outcome.status == 0, outcome.err
    with Image.open("a.png") as image:
        assert image.width > 800


def test_a_plan_of_bands_is_timed_on_as_many(onnxcert: Any) -> None:
    for picture in ("16x16", "four/bands.npy"):
        said = ("--range", "0,1", "--sigma", "0.1", "--threads", "1", "--picture", picture)
        outcome = onnxcert("plan", "--model", "model.onnx", *NAMES, *said)
        assert outcome.status == 0, outcome.err


def test_another_model_that_takes_other_bands_is_refused(onnxcert: Any) -> None:
    contract = {"channel_order": "BANDS", "bands": ["nir", "red", "green", "blue"]}
    infrared(Path("other.onnx"), contract=contract)
    infrared(Path("mine.onnx"), contract={**contract, "bands": NAMES[1].split(",")})
    arguments = ("certify", "mine.onnx", "four", *CERTIFY, "--out", "out")
    outcome = onnxcert(*arguments, "--nonrobust", "other.onnx")
    assert outcome.status == 2
    assert "takes the bands blue, green, red, nir and other.onnx the bands nir, red" in outcome.err
    outcome = onnxcert(*arguments, "--nonrobust", "mine.onnx")
    assert outcome.status == 0, outcome.err


def test_the_picture_of_bands_says_which_of_them_it_shows(onnxcert: Any) -> None:
    from onnxcert.report.figures.images import composite

    values = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    shown, heading = composite(values, NAMES[1].split(","))
    assert heading == "Bands red, green, blue"
    np.testing.assert_array_equal(shown, values[[2, 1, 0]])
    shown, heading = composite(values, ("a", "b", "c", "d"))
    assert heading == "Channels 0, 1, 2 as RGB"
    np.testing.assert_array_equal(shown, values[:3])
    for few in (values[:1], values[:2]):
        shown, heading = composite(few, ("a", "b")[: len(few)])
        assert heading == "Channel 0 in grey"
        np.testing.assert_array_equal(shown, values[[0, 0, 0]])
    outcome = onnxcert("certify", "model.onnx", "four", *CERTIFY, *NAMES, "--out", "out")
    assert outcome.status == 0, outcome.err
    with Image.open("out/pictures/bands.png") as image:
        assert image.width > 800


# -- ranges that the network contradicts ---------------------------------------------------------


def scaling(path: Path, operator: str, number: float) -> Path:
    """A network that begins with one node of arithmetic."""
    proto: onnx.ModelProto = graphs.model(
        "(float[n, 3, h, w] image) => (float[n, 2, h, w] y) {"
        f" scaled = {operator}(image, k) y = Conv(scaled, weight) }}",
        k=number,
        weight=np.ones((2, 3, 1, 1)),
    )
    return graphs.save(proto, path)


@pytest.mark.parametrize(
    ("operator", "number", "said"),
    [
        ("Mul", 1 / 255, ("--range", "0,1")),
        ("Sub", 127.5, ("--range", "0,1")),
        ("Sub", 127.5, ("--mean", "0.5", "--std", "0.5")),
        ("Mul", 1.0, ("--range", "0,1", "--mean", "123.7,116.3,103.5", "--std", "58,57,57")),
        ("Mul", 255.0, ("--range", "0,255")),
    ],
)
def test_inspect_refuses_where_certify_does(
    onnxcert: Any, operator: str, number: float, said: tuple[str, ...]
) -> None:
    scaling(Path("scaling.onnx"), operator, number)
    certify = ("certify", "scaling.onnx", "photo.png", "--sigma", "0.1", "--threads", "1")
    for command in (certify, ("inspect", "scaling.onnx"), ("inspect", "scaling.onnx", "photo.png")):
        outcome = onnxcert(*command, *said)
        assert (outcome.status, outcome.err.count("\n")) == (2, 1)
        assert "pass --range" in outcome.err
