"""The PyTorch exporter: what it writes agrees with the module, and what it must refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxcert.converters.pytorch import export
from refusals import one_sentence

from onnxcert.errors import ModelError
from onnxcert.model.contract.base import METADATA_KEY
from onnxcert.model.contract.image import ImageContract

torch = pytest.importorskip("torch")

NAMES = ("sky", "road", "car")
SIZE = (12, 20)


class Tiny(torch.nn.Module):
    """Two convolutions around a batch normalisation and a dropout, at half resolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.norm = torch.nn.BatchNorm2d(6)
        self.drop = torch.nn.Dropout2d(0.5)
        self.last = torch.nn.Conv2d(6, len(NAMES), 1)

    def forward(self, pictures):
        features = self.drop(self.norm(self.first(pictures)).relu())
        return torch.nn.functional.interpolate(
            self.last(features), size=pictures.shape[-2:], mode="bilinear"
        )


class Changed(Tiny):
    """`Tiny` with its scores changed by a function of scores and pictures."""

    def __init__(self, change) -> None:
        super().__init__()
        self.change = change

    def forward(self, pictures):
        return self.change(super().forward(pictures), pictures)


def write(module, path: Path, **options) -> Path:
    return export(module, path, **{"example_size": SIZE, "class_names": NAMES} | options)


def run(path: Path, pictures):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": pictures})[0]


def pictures_of(*shape: int):
    return np.random.default_rng(1).random(shape, dtype=np.float32)


@pytest.mark.parametrize("shape", [(1, 3, 12, 20), (5, 3, 12, 20), (2, 3, 17, 9)])
def test_the_file_agrees_with_the_module_at_any_batch_and_size(tmp_path, shape):
    module = Tiny().eval()
    found = run(write(module, tmp_path / "tiny.onnx"), pictures_of(*shape))
    with torch.no_grad():
        expected = module(torch.from_numpy(pictures_of(*shape))).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_axes_are_named_and_free(tmp_path):
    graph = onnx.load(write(Tiny(), tmp_path / "tiny.onnx")).graph
    axes = [dim.dim_param for dim in graph.input[0].type.tensor_type.shape.dim]
    assert axes == ["batch", "", "height", "width"]
    assert graph.output[0].type.tensor_type.shape.dim[1].dim_value == len(NAMES)
    assert [graph.input[0].name, graph.output[0].name] == ["image", "logits"]


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,), (0.2,)), ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)), ((), ())]
)
def test_normalising_inside_equals_normalising_outside(tmp_path, mean, std):
    high = 255.0 if mean and mean[0] > 1 else 1.0
    path = write(Tiny(), tmp_path / "tiny.onnx", value_range=(0.0, high), mean=mean, std=std)
    pictures = pictures_of(2, 3, *SIZE)
    shift = np.reshape(mean or (0.0,), (1, -1, 1, 1))
    outside = (pictures * high - shift) / np.reshape(std or (1.0,), (1, -1, 1, 1))
    with torch.no_grad():
        expected = Tiny().eval()(torch.from_numpy(outside.astype(np.float32))).numpy()
    np.testing.assert_allclose(run(path, pictures), expected, atol=1e-4)


def test_the_contract_travels_in_the_file(tmp_path):
    path = write(Tiny(), tmp_path / "tiny.onnx", trained_sigma=0.25)
    text = {p.key: p.value for p in onnx.load(path).metadata_props}[METADATA_KEY]
    assert ImageContract.from_json(text, source="file") == ImageContract(
        input="image",
        value_range=(0.0, 1.0),
        output="logits",
        classes=3,
        class_names=NAMES,
        trained_sigma=0.25,
    )


def test_a_size_that_the_trace_cannot_free_is_fixed_and_said(tmp_path):
    # Position embeddings and the like: the module itself takes one size only.
    where = torch.linspace(0, 1, SIZE[0] * SIZE[1]).reshape(1, 1, *SIZE)
    path = write(Changed(lambda scores, _: scores + where), tmp_path / "tiny.onnx")
    model = onnx.load(path)
    assert ImageContract.from_json(model.metadata_props[0].value, source="file").size == SIZE
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [shape[2].dim_value, shape[3].dim_value] == list(SIZE)
    assert run(path, pictures_of(4, 3, *SIZE)).shape == (4, 3, *SIZE)


def test_each_layer_keeps_the_mode_it_came_in(tmp_path):
    module = Tiny().train()
    module.norm.eval()
    write(module, tmp_path / "tiny.onnx")
    assert [module.training, module.norm.training, module.drop.training] == [True, False, True]


class Stubborn(torch.nn.Dropout):
    def train(self, mode: bool = True):  # noqa: ARG002
        self.training = True
        return self


def _stubborn():
    module = Tiny()
    module.drop = Stubborn()
    return module


class Clock(Tiny):
    """Scores that move with every call."""

    calls = 0

    def forward(self, pictures):
        self.calls += 1
        return super().forward(pictures) + 0.5 * self.calls


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Changed(lambda scores, _: scores.flatten(2)), "[B, C, H, W]"),
        (Changed(lambda scores, _: scores[:, :2]), "3 class names"),
        (Changed(lambda scores, _: {"out": scores}), "one tensor"),
        (Changed(lambda scores, _: scores * float("nan")), "not finite"),
        (Changed(lambda scores, pictures: scores - pictures.mean()), "differently alone"),
        (Clock(), "differently alone"),
        (_stubborn(), "drop (Stubborn) stays in training mode"),
        (torch.nn.Conv2d(4, 3, 1), "does not accept floats"),
        # Tracing records the branch that the example took, not the condition.
        (
            Changed(lambda scores, pictures: scores + (0.0 if len(pictures) == 2 else 9.0)),
            "does not agree with the module at batch size 1",
        ),
    ],
)
def test_refusals_are_one_sentence_and_leave_no_file(tmp_path, module, said):
    path = tmp_path / "bad.onnx"
    with one_sentence(ModelError) as caught:
        write(module, path)
    message = str(caught.value)
    assert said in message
    assert not path.exists()


def test_a_folder_that_is_not_there_is_said_in_one_sentence(tmp_path):
    with pytest.raises(ModelError, match="cannot write"):
        write(Tiny(), tmp_path / "none" / "tiny.onnx")
