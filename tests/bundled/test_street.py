"""The bundled street model: its generator, its samples and the exported file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxcert.bundled.street import scenes
from onnxcert.bundled.street.palette import CLASS_NAMES, PALETTE
from PIL import Image

from onnxcert.model.contract.base import METADATA_KEY
from onnxcert.model.contract.image import ImageContract

HOME = Path(scenes.__file__).parent
MODEL = HOME / "model.onnx"
SAMPLES = ("scene-01", "scene-02", "scene-03")


def read_sample(stem: str):
    with Image.open(HOME / "samples" / "images" / f"{stem}.png") as picture:
        pixels = np.asarray(picture)
    with Image.open(HOME / "samples" / "labels" / f"{stem}.png") as classes:
        return pixels, np.asarray(classes), classes


def test_a_scene_is_a_pure_function_of_its_seed():
    first, again, other = (scenes.draw_scene(seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize("size", [(160, 256), (96, 128), (75, 101)])
def test_a_scene_has_the_size_asked_for(size):
    pixels, labels = scenes.draw_scene(0, *size)
    assert pixels.shape == (*size, 3)
    assert labels.shape == size
    assert pixels.dtype == labels.dtype == np.uint8


@pytest.mark.slow
def test_every_class_occurs_and_no_other():
    labels = [scenes.draw_scene(seed)[1] for seed in range(20)]
    assert set(np.unique(labels)) == set(range(len(CLASS_NAMES)))


@pytest.mark.parametrize("stem", SAMPLES)
def test_a_sample_is_a_picture_with_its_labels_in_the_palette(stem):
    pixels, labels, classes = read_sample(stem)
    assert pixels.shape == (160, 256, 3)
    assert labels.shape == (160, 256)
    assert labels.max() < len(CLASS_NAMES)
    assert classes.mode == "P"
    colours = np.reshape(classes.getpalette()[: 3 * len(PALETTE)], (-1, 3))
    np.testing.assert_array_equal(colours, PALETTE)


def test_the_file_is_small_and_says_how_to_talk_to_it():
    assert MODEL.stat().st_size < 2_000_000
    model = onnx.load(MODEL)
    onnx.checker.check_model(model)
    text = {p.key: p.value for p in model.metadata_props}[METADATA_KEY]
    contract = ImageContract.from_json(text, source="file")
    assert contract.class_names == CLASS_NAMES
    assert contract.value_range == (0.0, 1.0)
    assert contract.trained_sigma == 0.25
    assert contract.batch is None
    assert contract.size is None
    assert (contract.mean, contract.std) == ((), ())


@pytest.fixture(scope="module")
def session():
    return onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])


def label(session, pixels):
    """Labels [B, H, W] of pictures [B, H, W, 3] in [0, 1]."""
    image = np.ascontiguousarray(np.moveaxis(pixels, -1, 1), dtype=np.float32)
    return session.run(["logits"], {"image": image})[0].argmax(1)


@pytest.mark.parametrize("stem", SAMPLES)
def test_the_model_knows_its_samples_clean_and_under_its_noise(session, stem):
    pixels, labels, _ = read_sample(stem)
    clean = pixels[None] / 255
    noisy = clean + np.random.default_rng(0).normal(0, 0.25, clean.shape)
    assert (label(session, clean) == labels).mean() > 0.85
    assert (label(session, noisy) == labels).mean() > 0.85


def test_the_model_takes_other_sizes_and_batches(session):
    pixels, _, _ = read_sample("scene-01")
    assert label(session, np.stack([pixels[:101, :203]] * 2) / 255).shape == (2, 101, 203)
