"""The noise that keywords define for a model, and with it the attack that is certified against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Unpack

from onnxcert._typing import Perturbation
from onnxcert.api.keywords import NoiseKeywords
from onnxcert.data.images.bands import join_band_names
from onnxcert.errors import ParameterError, suggest
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.change import make_change
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.perturbation import PLAIN, AxisRotation, Gaussian, OnChannels, Rotation
from onnxcert.perturbation.semantic import Semantic

# The keyword `axis` selects a rotation about one axis.
KINDS: Final = {name: kind for name, kind in PLAIN.items() if kind is not AxisRotation}
COORDINATES: Final = "coordinates"
WITH_NORMALS: Final = "coordinates+normals"
_LONGEST: Final = 60  # characters of the name of the channels in `OnChannels`


def make_noise(
    contract: Contract,
    model: object,
    *,
    default: float | None = None,
    **keywords: Unpack[NoiseKeywords],
) -> Perturbation:
    """Return the noise for a model.

    Args:
        contract: contract of the model.
        model: name of the model, for messages.
        default: sigma if neither a keyword nor the model sets it.
        keywords: see `onnxcert.api.keywords.NoiseKeywords`.

    Raises:
        ParameterError: keywords contradict each other or the model, or sigma is unknown.
    """
    given = _given_object(keywords)
    if given is not None:
        return given
    kind = _find_kind(keywords)
    if issubclass(kind, Semantic):
        sigma = keywords.get("sigma")
        return make_change(kind, default if sigma is None else sigma, contract)
    if kind is Rotation and not isinstance(contract, PointContract):
        raise ParameterError(
            "rotations are for point clouds, but the model takes images; leave --perturbation out."
        )
    sigma = get_sigma(contract, **keywords)
    sigma = default if sigma is None else sigma
    if sigma is None:
        raise ParameterError(
            f"{model} does not say which noise it was trained with; give --sigma, e.g. --sigma "
            f"{contract.modality.usual_sigma}."
        )
    if isinstance(contract, PointContract) and kind is Rotation:
        return _make_rotation(contract, sigma, keywords)
    return _make_additive(contract, kind(**{"sigma": sigma}), keywords.get("on"))


def make_noise_without_model(**keywords: Unpack[NoiseKeywords]) -> Perturbation | None:
    """Return the noise that keywords alone define; None without sigma.

    Raises:
        ParameterError: keywords contradict each other.
    """
    given = _given_object(keywords)
    if given is not None:
        return given
    kind, sigma = _find_kind(keywords), keywords.get("sigma")
    if sigma is None:
        return None
    if kind is Rotation:
        return _make_rotation(PointContract(), sigma, keywords)
    return kind(**{"sigma": sigma})


def get_sigma(contract: Contract, **keywords: Unpack[NoiseKeywords]) -> float | None:
    """Return sigma, or the standard deviation of the training noise; None if unknown."""
    sigma, kind = keywords.get("sigma"), _find_kind(keywords)
    if sigma is not None or issubclass(kind, Semantic):
        return sigma
    if kind is not Rotation:
        return contract.trained_sigma
    return contract.trained_rotation if isinstance(contract, PointContract) else None


def _given_object(keywords: NoiseKeywords) -> Perturbation | None:
    """Return the perturbation if one was given as an object, which excludes the other keywords."""
    perturbation = keywords.get("perturbation")
    if perturbation is None or isinstance(perturbation, str):
        return None
    more = [
        name for name, value in keywords.items() if name != "perturbation" and value is not None
    ]
    if more:
        raise ParameterError(
            f"{more[0]} and a perturbation exclude each other; set {more[0]} in the perturbation, "
            "or name the perturbation as text."
        )
    if not isinstance(perturbation, Perturbation):
        raise ParameterError(
            f"the perturbation must be one such as onnxcert.Gaussian(0.25), got "
            f"{type(perturbation).__name__}."
        )
    return perturbation


def _find_kind(keywords: NoiseKeywords) -> type[Perturbation]:
    """Return the class of the named perturbation; refuse keywords that it does not have."""
    name: Any = keywords.get("perturbation") or Gaussian.name
    if name not in KINDS:
        raise ParameterError(
            f"--perturbation must be one of {', '.join(KINDS)}, got {name!r}"
            f"{suggest(str(name), KINDS)}"
        )
    kind = KINDS[name]
    refused: tuple[str, ...] = ("on",) if kind is Rotation else ("axis", "radius")
    for other in ("on", "axis", "radius") if issubclass(kind, Semantic) else refused:
        if keywords.get(other) is not None:
            raise ParameterError(
                f"--{other} cannot be combined with --perturbation {name}; leave it out."
            )
    return kind


def _make_rotation(contract: PointContract, sigma: float, keywords: NoiseKeywords) -> Perturbation:
    vectors = 2 if contract.has_normals else 1
    axis, radius = keywords.get("axis"), keywords.get("radius")
    if axis is not None:
        if radius is not None:
            raise ParameterError(
                "for rotations about one axis the published radius is exact; leave --radius out."
            )
        return AxisRotation(sigma, axis, vectors)  # type: ignore[arg-type]
    return Rotation(sigma, vectors, radius or "exact")  # type: ignore[arg-type]


def _make_additive(contract: Contract, noise: Perturbation, on: str | None) -> Perturbation:
    takes_points = isinstance(contract, PointContract)
    channels = contract.declared_channels
    if isinstance(contract, PointContract) and on in (None, COORDINATES):
        return noise if channels == 3 else OnChannels(noise, 0, 3, "the coordinates")
    if on is None:
        return noise
    if isinstance(contract, PointContract) and on == WITH_NORMALS:
        if not contract.has_normals:
            raise ParameterError(
                f"--on {on} needs normals, but the model takes none; use --on {COORDINATES}."
            )
        return OnChannels(noise, 0, 6, "the coordinates and normals")
    bands = contract.bands if isinstance(contract, ImageContract) else ()
    if bands and ":" not in on:
        return _on_bands(noise, on, bands)
    first, colon, end = on.partition(":")
    if not (colon and first.isdecimal() and end.isdecimal() and int(end) <= channels):
        names = f"{COORDINATES}, {WITH_NORMALS} or " if takes_points else ""
        raise ParameterError(
            f"--on must be {names}channels FIRST:END, at most 0:{channels}, got {on!r}."
        )
    if isinstance(contract, PointContract) and int(end) > contract.network_channels:
        raise ParameterError(
            f"the last channel is the category, to which no noise is added; --on may be at most "
            f"0:{contract.network_channels}."
        )
    return OnChannels(noise, int(first), int(end))


def _on_bands(noise: Perturbation, on: str, bands: Sequence[str]) -> Perturbation:
    """Return `noise` restricted to the bands in the comma-separated list `on`."""
    names = [name.strip() for name in on.split(",")]
    if unknown := [name for name in names if name not in bands]:
        raise ParameterError(
            f"--on must be band names ({join_band_names(bands)}) separated by commas, or channels "
            f"FIRST:END, at most 0:{len(bands)}, got {unknown[0]!r}{suggest(unknown[0], bands)}"
        )
    channels = sorted({bands.index(name) for name in names})
    label = join_band_names([bands[channel] for channel in channels])
    return OnChannels(
        noise,
        channels[0],
        channels[-1] + 1,
        label if len(label) <= _LONGEST else "",
        tuple(k for k in range(channels[0], channels[-1]) if k not in channels),
    )
