"""What a model sees of a cloud: every channel with its range, the answer, in the model's frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from solids import chair

from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.report import prediction as cloud_view
from onnxcert.report.figures.figure import Panel

CLOUD = chair(500)


@dataclass
class Model:
    """A model that takes the first `points` points and answers `labels`."""

    labels: Any
    classes: int = 3
    classifies: bool = False
    points: int = 300
    changed: dict[str, Any] = field(default_factory=dict)

    @property
    def contract(self) -> Any:
        return SimpleNamespace(
            **{
                "categories": (("chair", (0, 1, 2)),),
                "class_names": ("seat", "back", "legs"),
                "channels": "xyz+normals",
                "features": 0,
                "layout": "BCN",
                "frame": "unit-sphere",
                "category_input": "label",
                "output_form": "logits",
                **self.changed,
            }
        )

    file = SimpleNamespace(name="model.onnx")

    def to_array(self, cloud: PointCloud) -> np.ndarray:
        assert cloud.normals is not None
        rows = [cloud.points[: self.points].T / 2]
        if "normals" in self.contract.channels:
            rows.append(cloud.normals[: self.points].T)
        return np.concatenate(rows).astype(np.float32)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        assert batch.shape[2] == self.points
        return np.asarray(self.labels)[None]


def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Model) -> tuple[list[Panel], str]:
    kept: list[Any] = []
    real = cloud_view.write_figure

    def keep(path: Path, panels: list[Panel], *rest: Any, **words: Any) -> None:
        kept.extend([panels, words["caption"]])
        real(path, panels, *rest, **words)

    monkeypatch.setattr(cloud_view, "write_figure", keep)
    cloud_view.draw_cloud_prediction(tmp_path / "x.png", model, CLOUD)
    with Image.open(tmp_path / "x.png") as image:
        assert image.format == "PNG"
    panels, caption = kept
    return panels, caption


def test_each_channel_is_shown_with_its_range_as_the_model_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CLOUD.labels is not None
    panels, caption = seen(tmp_path, monkeypatch, Model(CLOUD.labels[:300]))
    x = Model(None).to_array(CLOUD)
    names = ["x", "y", "z", "normal x", "normal y", "normal z"]
    expected = [f"{n}: {r.min():.3g} to {r.max():.3g}" for n, r in zip(names, x, strict=True)]
    assert [panel.heading for panel in panels] == [*expected, "Answer"]
    assert "300 points as the model gets them" in caption
    assert "input label" in caption
    # y is up: the top of the first view is lighter than its foot.
    y = panels[1].pixels[: len(panels[1].pixels) // 2]
    assert y[20:80].max() > 230
    assert (y[-60:] < 90).any()


def test_a_model_of_coordinates_alone_has_three_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(np.full(300, 3), changed={"channels": "xyz", "category_input": ""})
    panels, caption = seen(tmp_path, monkeypatch, model)
    assert len(panels) == 4
    assert "category" not in caption


@pytest.mark.slow
def test_the_answer_is_in_the_colours_of_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        seen(tmp_path, monkeypatch, Model(np.full(300, c)))[0][-1].pixels.reshape(-1, 3)
        for c in range(3)
    ]
    spread = [np.ptp(pixels.astype(int), axis=1).max() for pixels in answers]
    assert min(spread) > 60
    assert (answers[0] != answers[1]).any()
    assert (answers[1] != answers[2]).any()


@pytest.mark.slow
def test_labels_and_classifiers_are_answered_panel_by_panel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {"output_form": "multilabel"}
    yes = np.random.default_rng(0).integers(0, 2, (3, 300))
    panels, _ = seen(tmp_path, monkeypatch, Model(yes, classes=2, changed=many))
    assert [p.heading for p in panels[6:]] == [f"Answer: {n}" for n in ("seat", "back", "legs")]
    panels, _ = seen(tmp_path, monkeypatch, Model(np.array([1]), classifies=True))
    assert [p.heading for p in panels[6:]] == ["Answer"]
    whole = Model(np.array([1, 0, 1]), classes=2, classifies=True, changed=many)
    panels, _ = seen(tmp_path, monkeypatch, whole)
    assert len(panels) == 9
    assert (panels[6].pixels != panels[7].pixels).any()
