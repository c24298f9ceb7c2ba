"""Channels that are no colours: what they are is asked, and each band of a file reaches its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from encoders import bands_tiff
from hypothesis import given
from hypothesis import strategies as st
from refusals import one_sentence
from zoo import Conv3, Dialect

from onnxcert import Exposure, Gaussian, OnChannels, OnnxSegmenter, certify
from onnxcert.data import read_image
from onnxcert.errors import ContractError, InputError, ParameterError
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model, write_contract

UNIT = {"value_range": (0.0, 1.0)}
BLUE_TO_NIR = ("blue", "green", "red", "nir")


def contract_of(proto: onnx.ModelProto, folder: Path, **given: Any) -> ImageContract:
    return detect(read_model(graphs.save(proto, folder / "model.onnx")), {**UNIT, **given})


def refusal(proto: onnx.ModelProto, folder: Path, **given: Any) -> str:
    with one_sentence(ContractError) as caught:
        contract_of(proto, folder, **given)
    return str(caught.value)


def pixelwise(channels: int, *, last: bool = False) -> onnx.ModelProto:
    """A convolution of 1 x 1 that scores three classes; channels are fixed in its weights alone."""
    axes = "n, h, w, c" if last else "n, ?, h, w"
    nodes = "y = Conv(x, weight)"
    if last:
        nodes = "first = Transpose<perm = [0, 3, 1, 2]>(x) y = Conv(first, weight)"
    weight = np.random.default_rng(channels).normal(size=(3, channels, 1, 1))
    return graphs.model(f"(float[{axes}] x) => (float[n, 3, h, w] y) {{ {nodes} }}", weight=weight)


# -- asked, not assumed --------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [2, 4, 5, 13])
@pytest.mark.parametrize("last", [False, True])
def test_channels_that_no_number_explains_are_asked_for(
    tmp_path: Path, channels: int, last: bool
) -> None:
    axes = ["b", "h", "w", channels] if last else ["b", channels, "h", "w"]
    proto = graphs.identity(axes, ["b", 3, "h", "w"])
    message = refusal(proto, tmp_path)
    assert f"{channels} channels but nothing tells what they are" in message
    assert "--channels-are bands" in message
    assert ("--channels-are rgba" in message) == (channels == 4)
    found = contract_of(proto, tmp_path, channel_order="BANDS")
    assert found.layout == ("NHWC" if last else "NCHW")
    assert found.bands == tuple(f"band {i}" for i in range(channels))
    assert (found.network_channels, found.declared_channels) == (channels, channels)
    assert found.sources["channel_order"] == "given"
    assert found.sources["bands"] == "the graph"


def test_four_channels_are_a_photograph_with_alpha_where_the_user_says_so(tmp_path: Path) -> None:
    proto = graphs.identity(["b", 4, "h", "w"], ["b", 3, "h", "w"])
    for order in ("RGBA", "BGRA"):
        found = contract_of(proto, tmp_path, channel_order=order)
        assert (found.channel_order, found.network_channels) == (order, 4)
        assert (found.declared_channels, found.bands) == (3, ())


def test_weights_tell_how_many_channels_there_are(tmp_path: Path) -> None:
    assert "5 channels but nothing tells" in refusal(pixelwise(5), tmp_path)
    found = contract_of(pixelwise(5), tmp_path, channel_order="BANDS")
    assert len(found.bands) == 5
    named = pixelwise(4)
    named.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "channels"
    assert "4 channels but nothing tells" in refusal(named, tmp_path)
    assert contract_of(pixelwise(3), tmp_path).channel_order == "RGB"


def test_bands_that_nobody_counts_must_be_named(tmp_path: Path) -> None:
    proto = pixelwise(6, last=True)
    assert "--channels-are blue,green,red,nir" in refusal(proto, tmp_path, channel_order="BANDS")
    assert contract_of(proto, tmp_path, bands=BLUE_TO_NIR).bands == BLUE_TO_NIR


def test_a_number_of_names_that_is_not_that_of_the_channels_is_refused(tmp_path: Path) -> None:
    proto = graphs.identity(["b", 5, "h", "w"], ["b", 3, "h", "w"])
    message = refusal(proto, tmp_path, bands=BLUE_TO_NIR)
    assert "5 channels but 4 bands are named (blue, green, red, nir)" in message


@pytest.mark.parametrize("bands", [("a", "a"), ("a", ""), ("a", "b:c"), ("a", "b,c"), ("a", "\n")])
def test_names_that_are_none_are_refused(bands: tuple[str, ...]) -> None:
    with pytest.raises(ContractError, match="name"):
        ImageContract(channel_order="BANDS", bands=bands)


def test_colours_have_no_names_of_bands() -> None:
    with pytest.raises(ContractError, match="only channels of the order BANDS"):
        ImageContract(bands=("a", "b", "c"))


@pytest.mark.parametrize(
    ("axes", "layout"),
    [
        (["b", 6, 4, 4], None),  # 6 channels of 4 x 4, or 4 of 6 x 4
        (["b", 4, 6, 8], "NCHW"),
        (["b", 6, 8, 4], "NHWC"),
        (["b", 2, "h", "w"], "NCHW"),
        (["b", "h", "w", 2], "NHWC"),
    ],
)
def test_the_number_of_bands_settles_the_layout_where_it_can(
    tmp_path: Path, axes: list[Any], layout: str | None
) -> None:
    proto = graphs.identity(axes, ["b", 3, None, None])
    if layout is None:
        assert "--layout NCHW or --layout NHWC" in refusal(proto, tmp_path, channel_order="BANDS")
        found = contract_of(proto, tmp_path, bands=tuple("abcdef"))
        assert (found.layout, found.size) == ("NCHW", (4, 4))
        found = contract_of(proto, tmp_path, bands=tuple("abcd"))
        assert (found.layout, found.size) == ("NHWC", (6, 4))
        return
    count = axes[1] if layout == "NCHW" else axes[3]
    assert contract_of(proto, tmp_path, bands=tuple("abcdef")[:count]).layout == layout


def test_weights_settle_the_layout_against_an_axis_of_three(tmp_path: Path) -> None:
    proto = graphs.model(
        "(float[b, 5, 8, 3] x) => (float[b, 2, 8, 3] y) { y = Conv(x, w) }",
        w=np.ones((2, 5, 1, 1)),
    )
    found = contract_of(proto, tmp_path, channel_order="BANDS")
    assert (found.layout, len(found.bands), found.size) == ("NCHW", 5, (8, 3))


def test_mean_and_std_have_one_number_for_each_band(tmp_path: Path) -> None:
    proto = graphs.identity(["b", 4, "h", "w"], ["b", 3, "h", "w"])
    numbers = {"mean": (0.1, 0.2, 0.3, 0.4), "std": (0.5,) * 4}
    assert contract_of(proto, tmp_path, bands=BLUE_TO_NIR, **numbers).mean == numbers["mean"]
    # What the channels are comes first: four numbers do not say it.
    assert "nothing tells what they are" in refusal(proto, tmp_path, **numbers)
    message = refusal(proto, tmp_path, bands=BLUE_TO_NIR, mean=(0.1, 0.2, 0.3))
    assert "each of the 4 channels (blue, green, red, nir)" in message


# -- in the file ---------------------------------------------------------------------------------


def test_the_file_keeps_what_its_channels_are(tmp_path: Path) -> None:
    proto = graphs.identity(["b", 4, "h", "w"], ["b", 3, "h", "w"])
    for given_bands in ({"bands": BLUE_TO_NIR}, {"channel_order": "BANDS"}):
        contract = contract_of(proto, tmp_path, **given_bands)
        write_contract(read_model(tmp_path / "model.onnx"), contract, tmp_path / "with.onnx")
        found = detect(read_model(tmp_path / "with.onnx"), {})
        assert isinstance(found, ImageContract)
        assert (found.channel_order, found.bands) == ("BANDS", contract.bands)
        # A flag beats the file, and the names go with the bands.
        other = detect(read_model(tmp_path / "with.onnx"), {"channel_order": "RGBA"})
        assert isinstance(other, ImageContract)
        assert (other.channel_order, other.bands) == ("RGBA", ())
        again = detect(read_model(tmp_path / "with.onnx"), {"bands": tuple("wxyz")})
        assert isinstance(again, ImageContract)
        assert again.bands == tuple("wxyz")


@pytest.mark.parametrize("value", ["blue", [1, 2], {"blue": 1}, None, [["blue"]]])
def test_bands_that_are_no_names_are_refused(value: object) -> None:
    text = json.dumps({"version": 1, "channel_order": "BANDS", "bands": value})
    with pytest.raises(ContractError, match="bands must be a list of names"):
        ImageContract.from_json(text, source="a test")


# -- the right values in the right places --------------------------------------------------------

FILES = ("npy HWC", "npy CHW", "npz", "tif", "tif planar")


def write(folder: Path, kind: str, values: np.ndarray) -> Path:
    """`values` [H, W, C] as a file."""
    path = folder / f"image.{kind[:3]}"
    match kind:
        case "npy HWC":
            np.save(path, values)
        case "npy CHW":
            np.save(path, np.moveaxis(values, -1, 0))
        case "npz":
            np.savez(path, values)
        case _:
            path.write_bytes(bands_tiff(values, planar="planar" in kind, compression=8))
    return path


@pytest.mark.parametrize(
    ("kind", "dtype", "channels", "layout"),
    [
        *((kind, dtype, 5, "NCHW") for kind in FILES for dtype in ("uint8", "uint16", "float32")),
        *(("tif", "uint16", n, layout) for n in (1, 2, 3, 4, 9) for layout in ("NCHW", "NHWC")),
    ],
)
def test_labels_are_those_of_the_plain_function(
    tmp_path: Path, kind: str, dtype: str, channels: int, layout: str
) -> None:
    rng = np.random.default_rng((channels, len(kind), len(dtype)))
    values = rng.random((11, 13, channels))
    if dtype != "float32":
        values = np.rint(values * np.iinfo(dtype).max)
    values = values.astype(dtype)
    pixels = np.moveaxis(values.astype(np.float64), -1, 0)
    pixels = pixels if dtype == "float32" else pixels / np.iinfo(dtype).max

    mean, std = tuple(rng.random(channels)), tuple(rng.random(channels) + 0.5)
    function = Conv3.random(3, channels, seed=channels)
    dialect = Dialect(order="BANDS", layout=layout, mean=mean, std=std)
    graphs.save(dialect.proto(function), tmp_path / "model.onnx")
    segmenter = OnnxSegmenter.open(
        tmp_path / "model.onnx", device="cpu", threads=1, **dialect.given(function)
    )
    bands = tuple(f"band {i}" for i in range(channels))
    assert segmenter.contract.bands == bands  # type: ignore[attr-defined]
    x = segmenter.to_array(read_image(write(tmp_path, kind, values), bands))
    batch = (x + 0.1 * rng.standard_normal((3, *x.shape))).astype(np.float32)
    for given_pixels, seen in ((pixels[None], x[None]), (batch, batch)):
        scores = np.sort(function.scores(given_pixels), axis=1)
        sure = scores[:, -1] - scores[:, -2] > 1e-4  # float32 has the last word below that
        assert sure.mean() > 0.99
        expected = function.scores(given_pixels).argmax(axis=1)
        np.testing.assert_array_equal(segmenter(seen)[sure], expected[sure])


@given(st.permutations(range(5)))
def test_no_band_takes_the_place_of_another(order: list[int]) -> None:
    contract = ImageContract(channel_order="BANDS", bands=tuple("abcde"), value_range=(0.0, 1.0))
    from onnxcert.model.adapter.normalisation import affine, channelwise

    mean = tuple(0.1 * i for i in order)
    factor, offset = affine(replace(contract, mean=mean))
    np.testing.assert_allclose(offset.ravel(), np.multiply(order, -0.1), atol=1e-7)
    assert factor.shape == (1, 5, 1, 1)
    network = channelwise(replace(contract, mean=mean))
    assert network is not None
    assert network.channels.order is None
    assert network.channels.affine is not None
    np.testing.assert_array_equal(
        network.channels.affine, np.stack([factor, offset])[:, 0, :, 0, 0]
    )


def test_a_certificate_of_bands_names_them(tmp_path: Path) -> None:
    proto = graphs.identity(["b", 4, "h", "w"], ["b", 4, "h", "w"])
    path = graphs.save(proto, tmp_path / "model.onnx")
    x = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    options = {**UNIT, "bands": BLUE_TO_NIR, "device": "cpu", "threads": 1}
    found = certify(path, x, Gaussian(0.05), n=60, **options)
    assert "the 4 bands blue, green, red, nir at native resolution" in found.statement()
    for wrong in (x[:3], x[:, :, 0], np.concatenate([x, x])):
        with pytest.raises(InputError, match=r"\[4, height, width\] or .*(4)"):
            certify(path, wrong, Gaussian(0.05), n=60, **options)


@pytest.mark.parametrize(
    "fit",
    [
        Fit(scale=0.5),
        Fit(size=(16, 20)),
        Fit(pad_to=16),
        Fit(grid="model"),
        Fit(scales=(0.5, 1.0), flip=True),
        Fit(tile=(8, 8)),
    ],
    ids=lambda fit: str(fit.as_dict()),
)
def test_bands_that_a_model_does_not_look_at_change_nothing(tmp_path: Path, fit: Fit) -> None:
    """However an image reaches the network: three of five bands, and the same three as colours."""
    colours = Conv3.random(3, 3, seed=4)
    weight = np.zeros((3, 5, 3, 3), np.float32)
    weight[:, [4, 0, 2]] = colours.weight
    bands = Conv3(weight, colours.bias)
    opened = []
    for function, order in ((colours, "RGB"), (bands, "BANDS")):
        path = graphs.save(Dialect().proto(function), tmp_path / f"{order}.onnx")
        options = {**UNIT, "fit": fit, "device": "cpu", "threads": 1}
        opened.append(OnnxSegmenter.open(path, channel_order=order, **options))
    x = np.random.default_rng(0).random((2, 5, 13, 17), dtype=np.float32)
    np.testing.assert_array_equal(opened[1](x), opened[0](x[:, [4, 0, 2]]))
    assert len(np.unique(opened[1](x))) == 3


def test_exposure_of_bands_is_refused_on_some_channels_too(tmp_path: Path) -> None:
    """The sRGB curve linearises colours, and no other bands."""
    proto = graphs.identity(["b", 4, "h", "w"], ["b", 4, "h", "w"])
    path = graphs.save(proto, tmp_path / "model.onnx")
    x = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    options = {**UNIT, "bands": BLUE_TO_NIR, "device": "cpu", "threads": 1}
    for noise in (Exposure(0.5), OnChannels(Exposure(0.5), 0, 4)):
        with pytest.raises(ParameterError, match="takes bands; use perturbation gain"):
            certify(path, x, noise, n=60, **options)
