"""The pictures at the ends of a certificate: the certified changes, as far as they are covered."""

from __future__ import annotations

import numpy as np
import pytest

from onnxcert.perturbation import PLAIN, Blur, Exposure, Gaussian, OnChannels, WhiteBalance
from onnxcert.perturbation.semantic import ImageChange
from onnxcert.report.figures.attacked import attacked_panels
from onnxcert.report.figures.axes import ImageCanvas

IMAGE = np.random.default_rng(0).random((3, 20, 30), dtype=np.float32)
CANVAS = ImageCanvas((20, 30))
PICTURE = CANVAS.paint_image(IMAGE).astype(float)
KINDS = [kind for kind in PLAIN.values() if issubclass(kind, ImageChange)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_both_ends_are_shown_with_the_certified_size_and_of_a_blur_one(
    kind: type[ImageChange],
) -> None:
    noise = kind(**{"sigma": kind.usual})
    panels = attacked_panels(noise, IMAGE, 0.123456, CANVAS)
    signs = ["+"] if kind is Blur else ["-", "+"]
    assert [panel.heading for panel in panels] == [f"{sign}0.1234 {noise.unit}" for sign in signs]
    for panel in panels:
        assert panel.pixels.shape == PICTURE.shape
        assert (panel.pixels != PICTURE).any()


def test_less_exposure_is_darker_and_a_blur_is_flatter() -> None:
    dark, bright = (p.pixels.mean() for p in attacked_panels(Exposure(1.0), IMAGE, 1.0, CANVAS))
    assert dark < PICTURE.mean() < bright
    (blurred,) = attacked_panels(Blur(1.0), IMAGE, 2.0, CANVAS)
    assert blurred.pixels.std() < 0.8 * PICTURE.std()
    cool, warm = (p.pixels for p in attacked_panels(WhiteBalance(0.5), IMAGE, 0.5, CANVAS))
    assert cool[..., 0].mean() < PICTURE[..., 0].mean() < warm[..., 0].mean()
    assert cool[..., 2].mean() > PICTURE[..., 2].mean() > warm[..., 2].mean()


def test_added_noise_and_changes_of_some_channels_have_no_such_picture() -> None:
    assert attacked_panels(Gaussian(0.25), IMAGE, 0.1, CANVAS) == []
    assert attacked_panels(OnChannels(Exposure(0.5), 0, 3), IMAGE, 0.1, CANVAS) == []
