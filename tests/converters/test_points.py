"""The exporter of models on point clouds: what it writes agrees, and what it must refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxcert.converters.points import export_points
from refusals import one_sentence

from onnxcert.errors import ModelError
from onnxcert.model.contract.base import METADATA_KEY
from onnxcert.model.contract.points import PointContract

torch = pytest.importorskip("torch")

NAMES = ("leg", "top", "lid", "body", "handle")
CATEGORIES = (("Table", (0, 1)), ("Kettle", (2, 3, 4)))
POINTS = 24


class Tiny(torch.nn.Module):
    """Each point alone, beside the mean of its shape and its category."""

    def __init__(self, channels: int = 3, categories: int = 0, features_last: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features_last = features_last
        self.point = torch.nn.Linear(2 * channels + categories, len(NAMES))

    def forward(self, points, label=None):
        points = points if self.features_last else points.transpose(1, 2)
        told = [points, points.mean(1, keepdim=True).expand_as(points)]
        if label is not None:
            told.append(label[:, None].expand(-1, points.shape[1], -1))
        scores = self.point(torch.cat(told, 2))
        return scores if not self.features_last else scores.transpose(1, 2)


class Changed(Tiny):
    """`Tiny` with its scores changed by a function of scores and points."""

    def __init__(self, change) -> None:
        super().__init__()
        self.change = change

    def forward(self, points, label=None):
        return self.change(super().forward(points, label), points)


def write(module, path: Path, **options) -> Path:
    return export_points(module, path, **{"points": POINTS, "class_names": NAMES} | options)


def run(path: Path, **inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["scores"], inputs)[0]


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("layout", ["BCN", "BNC"])
def test_the_file_agrees_with_the_module_at_any_batch(tmp_path, batch, layout):
    last = layout == "BNC"
    module = Tiny(6, len(CATEGORIES), features_last=last).eval()
    path = write(
        module,
        tmp_path / "tiny.onnx",
        channels="xyz+normals",
        categories=CATEGORIES,
        category_input="label",
        input_layout=layout,
        output_layout="BCN" if last else "BNC",
    )
    shape = (batch, POINTS, 6) if last else (batch, 6, POINTS)
    points = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    label = np.eye(2, dtype=np.float32)[np.arange(batch) % 2]
    with torch.no_grad():
        expected = module(torch.from_numpy(points), torch.from_numpy(label)).numpy()
    np.testing.assert_allclose(run(path, points=points, label=label), expected, atol=1e-5)


def test_the_contract_travels_in_the_file(tmp_path):
    path = write(
        Tiny(8, 2),
        tmp_path / "tiny.onnx",
        channels="xyz+normals+features",
        features=2,
        categories=CATEGORIES,
        category_input="kind",
        trained_sigma=0.1,
        trained_rotation=0.25,
    )
    text = {p.key: p.value for p in onnx.load(path).metadata_props}[METADATA_KEY]
    assert PointContract.from_json(text, source="file") == PointContract(
        input="points",
        layout="BCN",
        output="scores",
        output_layout="BNC",
        classes=5,
        class_names=NAMES,
        channels="xyz+normals+features",
        features=2,
        points=POINTS,
        frame="unit-sphere",
        categories=CATEGORIES,
        category_input="kind",
        trained_sigma=0.1,
        trained_rotation=0.25,
    )
    assert [i.name for i in onnx.load(path).graph.input] == ["points", "kind"]


def test_a_category_that_the_module_ignores_is_refused(tmp_path):
    class Deaf(Tiny):
        def forward(self, points, _label):
            return super().forward(points)

    with pytest.raises(ModelError, match="does not use its input 'label'"):
        write(Deaf(), tmp_path / "tiny.onnx", categories=CATEGORIES, category_input="label")


def test_an_operator_of_the_modules_own_is_replaced_by_its_body(tmp_path):
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(_context, values):
            return 2 * values

        @staticmethod
        def symbolic(graph, values):
            return graph.op("own::Double", values).setType(values.type())

    body = onnx.parser.parse_function(
        '<domain: "own", opset_import: ["": 17]> Double (x) => (y) { y = Add (x, x) }'
    )
    module = Changed(lambda scores, _: Doubled.apply(scores))
    path = write(module, tmp_path / "tiny.onnx", functions=[body])
    model = onnx.load(path)
    assert {node.domain for node in model.graph.node} == {""}
    points = np.random.default_rng(0).normal(size=(2, 3, POINTS)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(run(path, points=points), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Changed(lambda scores, _: scores.transpose(1, 2)), "[B, N, C]"),
        (Changed(lambda scores, _: scores[:, :, :4]), "5 class names"),
        (Changed(lambda scores, _: scores[:, 1:]), "24 points"),
        (Changed(lambda scores, _: (scores, scores)), "one tensor"),
        (Changed(lambda scores, points: scores - points.mean()), "shape differently alone"),
        (Tiny(6), "does not accept floats [3, 3, 24]"),
        # Two equal points are at distance 0, and the inverse is what interpolation takes.
        (
            Changed(
                lambda scores, points: (
                    scores / torch.cdist(points.mT, points.mT).topk(2, largest=False)[0][..., 1:]
                )
            ),
            "not finite",
        ),
        # An operator that the exporter does not know.
        (Changed(lambda scores, points: scores + points.mT.mean(2, keepdim=True)), "cannot export"),
        (
            Changed(lambda scores, points: scores + (0.0 if len(points) == 2 else 9.0)),
            "does not agree with the module at batch size 1",
        ),
    ],
)
def test_refusals_are_one_sentence_and_leave_no_file(tmp_path, capfd, module, said):
    path = tmp_path / "bad.onnx"
    with one_sentence(ModelError) as caught:
        write(module, path)
    message = str(caught.value)
    assert said in message
    assert not path.exists()
    assert capfd.readouterr() == ("", "")
