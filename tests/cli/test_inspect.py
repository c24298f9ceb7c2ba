"""`onnxcert inspect`: what a person has to say about a fresh export, and what they get to see."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
import zoo
from graphs import Graph
from onnx import helper
from zoo import Conv3, Dialect

from onnxcert import OnnxSegmenter

CPU = {"device": "cpu", "threads": 1}
CONV = Conv3.random(4, seed=58)
PICTURE = zoo.picture(16, 24, seed=5)


def fields(out: str) -> dict[str, str]:
    """Field -> what was printed behind it, from the table of `inspect`."""
    return dict(re.findall(r"^(\w+) +(.+)$", out.split("\n\n")[1], re.MULTILINE))


def is_open(out: str) -> bool:
    return re.search(r"^\w+ +open$", out, re.MULTILINE) is not None


# -- exports of PyTorch --------------------------------------------------------------------------


def exported(kind: str, path: Path) -> Any:
    """Write a torch module of `kind` to `path`, as a user would; the module."""
    torch = pytest.importorskip("torch")
    nn, functional = torch.nn, torch.nn.functional

    class UNet(nn.Module):  # type: ignore[misc, name-defined]
        """Down, up by a transposed convolution, a skip; batch norm and dropout on the way."""

        def __init__(self, classes: int) -> None:
            super().__init__()
            self.first = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
            self.below = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
            self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
            self.last = nn.Sequential(nn.Dropout2d(0.2), nn.Conv2d(12, classes, 1))

        def forward(self, x: Any) -> Any:
            seen = self.first(x)
            return self.last(torch.cat([seen, self.up(self.below(seen))], dim=1))

    class Ends(nn.Module):  # type: ignore[misc, name-defined]
        """The U-Net with another beginning or end."""

        def __init__(self, classes: int, end: str) -> None:
            super().__init__()
            self.net, self.end = UNet(classes), end

        def forward(self, x: Any) -> Any:
            if self.end == "normalised inside":
                mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
                return self.net((x / 255 - mean) / 0.225)
            if self.end == "channels last":
                return self.net(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            scores = self.net(x)
            match self.end:
                case "softmax":
                    return scores.softmax(dim=1)
                case "argmax":
                    return scores.argmax(dim=1)
                case "sigmoid":
                    return torch.sigmoid(scores)
                case "one channel squeezed":
                    return torch.sigmoid(scores)[:, 0]
                case "low resolution":
                    return functional.avg_pool2d(scores, 4)
                case "interpolated":
                    low = functional.avg_pool2d(scores, 4)
                    return functional.interpolate(
                        low, size=x.shape[2:], mode="bilinear", align_corners=False
                    )
            return scores

    classes = 1 if kind in ("binary", "one channel squeezed") else 5
    end = {"binary": "sigmoid", "fixed": ""}.get(kind, kind)
    torch.manual_seed(4)
    module = Ends(classes, end).eval()
    for parameter in module.parameters():
        parameter.data *= 3  # so that answers are not one class everywhere
    shape = (1, 16, 24, 3) if kind == "channels last" else (1, 3, 16, 24)
    spatial = (1, 2) if kind == "channels last" else (2, 3)
    axes = {0: "batch", spatial[0]: "height", spatial[1]: "width"}
    free = {} if kind == "fixed" else {"dynamic_axes": {"input": axes, "output": {0: "batch"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its age
        torch.onnx.export(
            module,
            (torch.zeros(shape),),
            str(path),
            dynamo=False,
            input_names=["input"],
            output_names=["output"],
            **free,
        )
    return module


# The flags a user must give, and nothing that the graph says: what the model was trained on.
UNIT = ["--range", "0,1"]
EXPORTS: dict[str, list[str]] = {
    "plain": UNIT,
    "fixed": UNIT,
    "softmax": UNIT,
    "argmax": UNIT,
    "binary": UNIT,
    "sigmoid": [*UNIT, "--output-form", "multilabel"],
    "one channel squeezed": UNIT,
    "low resolution": UNIT,
    "interpolated": UNIT,
    "normalised inside": ["--range", "0,255"],
    "channels last": UNIT,
}


def torch_labels(kind: str, module: Any, pixels: np.ndarray) -> np.ndarray:
    """What the module says, decided as its end wants it; close calls are -1."""
    import torch

    batch = torch.from_numpy(pixels)
    if kind == "normalised inside":
        batch = batch * 255
    with torch.no_grad():
        scores = module(batch.permute(0, 2, 3, 1) if kind == "channels last" else batch)
        if kind == "channels last":
            scores = scores.permute(0, 3, 1, 2)
        if kind == "low resolution":
            scores = torch.nn.functional.interpolate(scores, size=pixels.shape[2:], mode="bilinear")
    values = scores.numpy()
    if kind == "argmax":
        return np.asarray(values)
    if kind in ("sigmoid", "binary", "one channel squeezed"):
        labels = np.where(np.abs(values - 0.5) < 1e-5, -1, values > 0.5)
        return np.asarray(labels[:, 0] if kind == "binary" else labels)
    best = np.sort(values, axis=1)
    return np.where(best[:, -1] - best[:, -2] < 1e-5, -1, values.argmax(axis=1))


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_export_of_pytorch_needs_no_flag_that_its_graph_could_answer(
    kind: str, tmp_path: Path, onnxcert: Any
) -> None:
    path = tmp_path / "model.onnx"
    module = exported(kind, path)
    done = onnxcert("inspect", path, *EXPORTS[kind])
    assert done.status == 0, done.err
    assert not is_open(done.out)
    assert "nothing found" in done.out

    copy = tmp_path / "copy.onnx"
    assert onnxcert("inspect", path, *EXPORTS[kind], "--write", copy).status == 0
    segmenter = OnnxSegmenter.open(copy, **CPU)
    noise = np.random.default_rng(1).normal(0, 0.1, (5, *PICTURE.shape))
    batch = (PICTURE + noise).astype(np.float32)
    wanted = torch_labels(kind, module, batch)
    labels = segmenter(batch)
    assert labels.shape == wanted.shape
    clear = wanted != -1
    assert clear.mean() > 0.99
    assert np.array_equal(labels[clear], wanted[clear])
    assert len(np.unique(wanted[clear])) > 1


# -- an export in the manner of TensorFlow -------------------------------------------------------


def tensorflow_style() -> onnx.ModelProto:
    """NHWC in and out, transposed inside, bytes scaled in the graph, names with `:0`."""
    g = Graph()
    value = g.add("Cast", "serving_default_input:0", to=onnx.TensorProto.FLOAT)
    value = g.add("Mul", value, g.constant(1 / 255, np.float32))
    value = g.add("Transpose", value, perm=[0, 3, 1, 2])
    weight, bias = g.constant(CONV.weight, np.float32), g.constant(CONV.bias, np.float32)
    value = g.add("Conv", value, weight, bias, pads=[1] * 4)
    value = g.add("Transpose", value, perm=[0, 2, 3, 1])
    g.add("Softmax", value, axis=-1, output="StatefulPartitionedCall:0")
    return g.model(
        {"serving_default_input:0": ("uint8", ["unk__1", "unk__2", "unk__3", 3])},
        {"StatefulPartitionedCall:0": ("float32", ["unk__1", "unk__2", "unk__3", 4])},
        opset=15,
    )


def test_an_export_of_tensorflow_needs_no_flag_at_all(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(tensorflow_style(), tmp_path / "model.onnx")
    done = onnxcert("inspect", path)
    assert done.status == 0, done.err
    assert not is_open(done.out)
    said = fields(done.out)
    assert said["layout"].startswith("NHWC")
    assert said["output_layout"].startswith("NHWC")
    assert said["output_form"].startswith("probabilities")
    assert "(the uint8 input)" in said["value_range"]
    dialect = Dialect(dtype="uint8", value_range=(0, 255))
    batch = np.stack([PICTURE, zoo.picture(16, 24, seed=6)])
    labels = OnnxSegmenter.open(path, **CPU)(batch)
    assert np.array_equal(labels, zoo.Reference(CONV, dialect)(batch))


# -- what is printed -----------------------------------------------------------------------------


def test_every_field_is_printed_with_its_source(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(Dialect(order="BGR").proto(CONV), tmp_path / "model.onnx")
    done = onnxcert("inspect", path, "--range", "0,255", "--channel-order", "BGR")
    said = fields(done.out)
    assert said["value_range"].split() == ["0,", "255", "(given)"]
    assert said["channel_order"].split() == ["BGR", "(given)"]
    assert said["input"].split()[0] == "image"
    assert "the graph" in said["layout"]
    plain = onnxcert("inspect", path, "--range", "0,1")
    assert "(assumed)" in fields(plain.out)["channel_order"]


def test_an_open_question_is_printed_below_what_is_known(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(Dialect().proto(CONV), tmp_path / "model.onnx")
    done = onnxcert("inspect", path)
    assert done.status == 2
    assert is_open(done.out)
    assert "--range 0,1 or --range 0,255" in done.err


# -- what is drawn -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dialect",
    [
        Dialect(),
        Dialect(order="BGR", layout="NHWC", value_range=(0, 255)),
        Dialect(order="RGBA"),
        Dialect(order="GRAY"),
        Dialect(dtype="uint8", value_range=(0, 255)),
        Dialect(dtype="float16"),
        Dialect(form="multilabel"),
        Dialect(form="labels", answer_type="int64", answer_rank=3),
        Dialect(size=(8, 6), batch=4, baked=True),
        Dialect(feed="vector"),
    ],
    ids=str,
)
def test_a_picture_is_drawn_of_every_kind_of_model(
    dialect: Dialect, tmp_path: Path, onnxcert: Any
) -> None:
    from PIL import Image

    conv = Conv3.random(4, 1, seed=58) if dialect.order == "GRAY" else CONV
    path = graphs.save(dialect.proto(conv), tmp_path / "model.onnx")
    shot = zoo.write_picture(tmp_path / "shot.png", PICTURE)
    low, high = dialect.value_range
    flags: list[object] = ["--range", f"{low},{high}", "--output-form", dialect.form]
    if dialect.order != "GRAY":
        flags += ["--channel-order", dialect.order]
    if dialect.form == "labels":
        flags += ["--classes", "4"]
    if dialect.feed:
        flags += ["--feed", "bias=" + ",".join(map(str, conv.bias.tolist()))]
    done = onnxcert("inspect", path, shot, *flags, "--out", tmp_path / "seen.png")
    assert done.status == 0, done.err
    with Image.open(tmp_path / "seen.png") as image:
        image.load()
        assert min(image.size) > 100
        assert np.asarray(image.convert("L")).std() > 5


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_what_the_model_sees_is_what_its_input_gets(
    order: str, layout: str, tmp_path: Path
) -> None:
    dialect = Dialect(
        order=order, layout=layout, value_range=(0, 255), mean=(104.0, 117.0, 123.0), std=(1.0,) * 3
    )
    path = graphs.save(dialect.proto(CONV), tmp_path / "model.onnx")
    segmenter = OnnxSegmenter.open(path, **CPU, **dialect.given(CONV))
    wanted = dialect.network_values(PICTURE[None])[0]
    assert np.allclose(segmenter.network_input(PICTURE), wanted, atol=1e-4)


@pytest.mark.parametrize("out", ["nowhere/seen.png", "."])
def test_a_drawing_that_cannot_be_written_is_one_sentence(
    out: str, tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(Dialect().proto(CONV), tmp_path / "model.onnx")
    shot = zoo.write_picture(tmp_path / "shot.png", PICTURE)
    done = onnxcert("inspect", path, shot, "--range", "0,1", "--out", tmp_path / out)
    assert done.status == 2
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("wrong", ["missing.png", "model.onnx"])
def test_a_picture_that_cannot_be_read_is_one_sentence(
    wrong: str, tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(Dialect().proto(CONV), tmp_path / "model.onnx")
    done = onnxcert(
        "inspect", path, tmp_path / wrong, "--range", "0,1", "--out", tmp_path / "s.png"
    )
    assert done.status == 2
    assert done.err.count("\n") == 1


# -- what is stored ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dialect",
    [
        Dialect(),
        Dialect(order="BGR", layout="NHWC", value_range=(0, 255)),
        Dialect(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.2), normalise="before", value_range=(-1, 1)),
        Dialect(form="logit", logit_shift=0.4196),
        Dialect(form="labels", answer_type="uint8"),
        Dialect(feed="rows", batch=4),
        Dialect(feed="scalar"),
        Dialect(opset=9, ir=3),
    ],
    ids=str,
)
def test_a_stored_contract_answers_every_question(
    dialect: Dialect, tmp_path: Path, onnxcert: Any
) -> None:
    conv = Conv3.random(2, seed=58) if dialect.form == "logit" else CONV
    path = graphs.save(dialect.proto(conv), tmp_path / "model.onnx")
    given = dialect.given(conv)
    flags: list[object] = []
    names = {"value_range": "range"}
    for name, value in given.items():
        option = "--" + names.get(name, name).replace("_", "-")
        if name == "feeds":
            np.save(tmp_path / "bias.npy", np.asarray(value[0][1]))
            flags.append(f"--feed=bias={tmp_path / 'bias.npy'}")
        elif isinstance(value, tuple):
            flags.append(f"{option}={','.join(map(str, value))}")
        else:
            flags.append(f"{option}={value}")
    copy = tmp_path / "copy.onnx"
    done = onnxcert("inspect", path, *flags, "--write", copy)
    assert done.status == 0, done.err

    again = onnxcert("inspect", copy)
    assert again.status == 0, again.err
    assert not is_open(again.out)
    first, second = fields(done.out), fields(again.out)
    for name, value in first.items():
        assert second[name].split("(")[0].strip() == value.split("(")[0].strip()
    assert "(the file's metadata)" in second["value_range"]
    batch = zoo.picture(8, 6)[None]
    wanted = OnnxSegmenter.open(path, **CPU, **given)(batch)
    assert np.array_equal(OnnxSegmenter.open(copy, **CPU)(batch), wanted)


def test_other_metadata_is_kept_and_an_older_contract_replaced(
    tmp_path: Path, onnxcert: Any
) -> None:
    proto = Dialect().proto(CONV)
    helper.set_model_props(
        proto, {"author": "somebody", "onnxcert": '{"version": 1, "value_range": [0, 255]}'}
    )
    path = graphs.save(proto, tmp_path / "model.onnx")
    before = path.read_bytes()
    copy = tmp_path / "copy.onnx"
    assert onnxcert("inspect", path, "--range", "0,1", "--write", copy).status == 0
    stored = {entry.key: entry.value for entry in onnx.load(copy).metadata_props}
    assert stored["author"] == "somebody"
    assert '"value_range": [0.0, 1.0]' in stored["onnxcert"]
    assert path.read_bytes() == before


def test_a_contract_with_an_open_question_is_not_stored(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(Dialect().proto(CONV), tmp_path / "model.onnx")
    done = onnxcert("inspect", path, "--write", tmp_path / "copy.onnx")
    assert done.status == 2
    assert not (tmp_path / "copy.onnx").exists()


def test_the_model_itself_is_never_overwritten(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(Dialect().proto(CONV), tmp_path / "model.onnx")
    before = path.read_bytes()
    done = onnxcert("inspect", path, "--range", "0,1", "--write", path)
    assert done.status == 2
    assert path.read_bytes() == before


@pytest.mark.parametrize("target", ["nowhere/copy.onnx", "."])
def test_a_copy_that_cannot_be_written_is_one_sentence(
    target: str, tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(Dialect().proto(CONV), tmp_path / "model.onnx")
    done = onnxcert("inspect", path, "--range", "0,1", "--write", tmp_path / target)
    assert done.status == 2
    assert done.err.count("\n") == 1
