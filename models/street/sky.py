"""Sky: a gradient from zenith to horizon, the glow around the sun, clouds in perspective."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .canvas import SCALE, Camera
from .light import Light
from .texture import octaves


def paint_sky(
    rng: np.random.Generator, height: int, width: int, camera: Camera, light: Light
) -> NDArray[np.float64]:
    """Return the colours of the sky [height, width, 3], 0 to 255, at painted size."""
    horizon = camera.centre[1]
    rows = np.arange(height)[:, None]
    up = np.clip((horizon - rows) / max(horizon, 1.0), 0, 1) * np.ones((1, width))
    blend = (up**0.7)[..., None]
    sky = np.array(light.horizon) * (1 - blend) + np.array(light.zenith) * blend

    glow_at = width * (0.5 + 0.42 * light.side)
    reach = np.hypot((np.arange(width)[None] - glow_at) / width, (rows - horizon * 0.55) / height)
    glow = np.exp(-((reach / 0.28) ** 2))[..., None] * 0.45
    sky = sky * (1 - glow) + np.array(light.cloud) * glow

    # Clouds are computed at returned size: they are soft, and this is nine times faster.
    small = (height // SCALE + 1, width // SCALE + 1)
    shape = octaves(rng, *small, (24.0, 62.0), 5)
    light_from = np.roll(shape, (3, -4 * light.side), (0, 1))
    density = np.clip((shape - np.quantile(shape, 1 - light.cover)) / 0.9, 0, 1)
    lit = np.clip(0.5 + 0.55 * (shape - light_from), 0, 1)
    density, lit = (_enlarge(field, height, width) for field in (density, lit))
    cloud = np.array(light.cloud) * (0.82 + 0.18 * lit[..., None])
    cloud = cloud * 0.8 + np.array(light.horizon) * 0.2
    opacity = (density * np.clip(up * 3.5, 0.25, 1) * 0.92)[..., None]
    return np.asarray(sky * (1 - opacity) + cloud * opacity)


def _enlarge(field: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    image = Image.fromarray(field.astype(np.float32))
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float64)
