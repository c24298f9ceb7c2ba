"""The files that snippets of README and docs speak of, small enough to certify at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import graphs
import numpy as np
import pytest
import sidecars
from classifier import ClassifierDialect, MeanColour
from PIL import Image
from sidecars import CONFIG, NAMES, SEGFORMER, ULTRALYTICS

from onnxcert.model import bundled

ROOT = Path(__file__).parents[2]
# Parts of the sample scenes that the model certifies well: left, top, right, bottom.
CROPS = {"scene-01.png": (128, 0, 224, 64), "scene-02.png": (0, 96, 96, 160)}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a user's files; `street` and `parts` have smaller samples there."""
    for name in ("street", "parts"):
        (tmp_path / "models" / name).mkdir(parents=True)
        shutil.copy(ROOT / "models" / name / "model.onnx", tmp_path / "models" / name)
    models = {name: tmp_path / "models" / name / "model.onnx" for name in ("street", "parts")}
    monkeypatch.setattr(bundled, "bundled_models", lambda: models)

    samples = tmp_path / "models" / "street" / "samples"
    for kind, small in (("images", ("photos", "pictures")), ("labels", ("labels",))):
        for folder in (samples / kind, *(tmp_path / name for name in small)):
            folder.mkdir(parents=True)
        for name, crop in CROPS.items():
            with Image.open(ROOT / "models" / "street" / "samples" / kind / name) as scene:
                scene.crop(crop).save(samples / kind / name)
                for folder in small:
                    scene.crop(crop).crop((32, 16, 64, 40)).save(tmp_path / folder / name)
    for name in ("photo.png", "scene-01.png"):
        shutil.copy(tmp_path / "photos" / "scene-01.png", tmp_path / name)
    Image.new("RGB", (500, 600), "grey").save(tmp_path / "large.png")

    chair = ROOT / "models" / "parts" / "samples" / "shapes" / "chair.npz"
    for folder in ("models/parts/samples/shapes", "shapes", "."):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(chair, tmp_path / folder)

    write_models(tmp_path)
    write_classes(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_models(folder: Path) -> None:
    """Write the model of the user, and others with bands, of Keras, the hub and Ultralytics."""
    contract = {"value_range": [0, 1], "trained_sigma": 0.25}
    graphs.save(graphs.conv(8, contract=contract), folder / "model.onnx")
    graphs.save(
        graphs.model(
            "(float[n, 4, h, w] x) => (float[n, 3, h, w] y) { y = Conv(x, kernel) }",
            kernel=np.eye(3, 4)[:, :, None, None],
        ),
        folder / "crops.onnx",
    )
    (folder / "scenes").mkdir()
    bands = np.random.default_rng(0).random((16, 16, 4), dtype=np.float32)
    np.save(folder / "scenes" / "field.npy", bands)
    graphs.save(
        graphs.model(
            """(float[n, h, w, 3] image) => (float[n, h, w, 3] answer) {
                scores = MatMul(image, weight)
                answer = Softmax<axis = -1>(scores)
            }""",
            weight=np.eye(3),
        ),
        folder / "keras.onnx",
    )
    files = {"preprocessor_config.json": SEGFORMER, "config.json": CONFIG}
    sidecars.write(folder / "snapshot", graphs.conv(len(NAMES)), files)
    sidecars.write(folder, graphs.conv(len(NAMES)), metadata=ULTRALYTICS, name="yolo26n-sem.onnx")


def write_classes(folder: Path) -> None:
    """Write a classifier, its table of labels, and a folder of folders."""
    graphs.save(ClassifierDialect().proto(MeanColour()), folder / "classifier.onnx")
    (folder / "labels.csv").write_text("scene-01,0\nscene-02,1\n")
    for name in ("dark", "bright"):
        (folder / "val" / name).mkdir(parents=True)
        shutil.copy(folder / "photo.png", folder / "val" / name / f"{name}.png")
