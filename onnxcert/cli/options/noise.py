"""Options that set the noise, and with it the attack that is certified against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import typer

from onnxcert._typing import Perturbation
from onnxcert.cli.options.parsing import look_up
from onnxcert.data.images.bands import join_band_names
from onnxcert.errors import ParameterError
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.change import make_change
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.perturbation import PLAIN, AxisRotation, Gaussian, OnChannels, Rotation
from onnxcert.perturbation.semantic import Semantic

# --axis selects a rotation about one axis.
KINDS: Final = {name: kind for name, kind in PLAIN.items() if kind is not AxisRotation}
LONGEST: Final = 60  # characters of the name of the channels in `OnChannels`
COORDINATES: Final = "coordinates"
WITH_NORMALS: Final = "coordinates+normals"


@dataclass(frozen=True)
class NoiseOptions:
    """With the model, these options define the noise."""

    title: ClassVar = "Options of the noise"

    perturbation: Annotated[
        str,
        typer.Option(
            help="Noise and attack: gaussian (added to pixels or coordinates); for images "
            "exposure, gain, brightness, contrast, gamma, white-balance or blur; for shapes "
            "rotation (about any axis), scaling or shift."
        ),
    ] = Gaussian.name
    sigma: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of the noise: for pixels in [0, 1], for coordinates in the "
            "model's frame, for rotations in radians, for exposure, gain, contrast and "
            "white-balance in stops, for gamma and scaling in log2, for blur (also the mean) in "
            "pixels^2. Default for gaussian and rotation: the training noise stored in the model."
        ),
    ] = None
    on: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="Target of Gaussian noise: coordinates (default for points), "
            "coordinates+normals, channels FIRST:END, or band names such as red,nir (default for "
            "images: all bands).",
        ),
    ] = None
    axis: Annotated[
        str | None,
        typer.Option(metavar="x|y|z", help="Rotate only about this axis. Default: any axis."),
    ] = None
    radius: Annotated[
        str | None,
        typer.Option(
            metavar="exact|classical",
            help="Radius of a rotation: exact (default), or classical (the published sigma * "
            "Phi^-1(tau)).",
        ),
    ] = None

    def build(self, segmenter: OnnxSegmenter, default: float | None = None) -> Perturbation:
        """Return the noise for a model.

        Args:
            segmenter: The model.
            default: sigma if neither --sigma nor the model sets it.

        Raises:
            ParameterError: The options contradict each other or the model, or sigma is unknown.
        """
        self._check()
        contract = segmenter.contract
        if issubclass(self._kind, Semantic):
            return make_change(self._kind, default if self.sigma is None else self.sigma, contract)
        if self._is_rotation and not isinstance(contract, PointContract):
            raise ParameterError(
                "rotations are for point clouds, but the model takes images; leave --perturbation "
                "out."
            )
        sigma = self.get_sigma(contract)
        sigma = default if sigma is None else sigma
        if sigma is None:
            raise ParameterError(
                f"{segmenter.file.path} does not say which noise it was trained with; give "
                f"--sigma, e.g. --sigma {contract.modality.usual_sigma}."
            )
        if self._is_rotation:
            assert isinstance(contract, PointContract)
            return self._build_rotation(contract, sigma)
        return self._build_additive(contract, sigma)

    def get_sigma(self, contract: Contract) -> float | None:
        """Return --sigma, or the standard deviation of the training noise; None if unknown."""
        if self.sigma is not None or issubclass(self._kind, Semantic):
            return self.sigma
        if not self._is_rotation:
            return contract.trained_sigma
        return contract.trained_rotation if isinstance(contract, PointContract) else None

    def build_without_model(self) -> Perturbation | None:
        """Return the noise that the options alone define; None without --sigma.

        Raises:
            ParameterError: The options contradict each other.
        """
        self._check()
        if self.sigma is None:
            return None
        if self._is_rotation:
            return self._build_rotation(PointContract(), self.sigma)
        return self._kind(**{"sigma": self.sigma})

    @property
    def are_given(self) -> bool:
        """Whether any noise option differs from its default."""
        return self != NoiseOptions()

    @property
    def _kind(self) -> type[Perturbation]:
        return look_up(KINDS, self.perturbation, "--perturbation")

    @property
    def _is_rotation(self) -> bool:
        return self._kind is Rotation

    def _check(self) -> None:
        refused: tuple[str, ...] = ("on",) if self._is_rotation else ("axis", "radius")
        for name in ("on", "axis", "radius") if issubclass(self._kind, Semantic) else refused:
            if getattr(self, name) is not None:
                raise ParameterError(
                    f"--{name} cannot be combined with --perturbation {self.perturbation}; leave "
                    "it out."
                )

    def _build_rotation(self, contract: PointContract, sigma: float) -> Perturbation:
        vectors = 2 if contract.has_normals else 1
        if self.axis is not None:
            if self.radius is not None:
                raise ParameterError(
                    "for rotations about one axis the published radius is exact; leave --radius "
                    "out."
                )
            return AxisRotation(sigma, self.axis, vectors)  # type: ignore[arg-type]
        return Rotation(sigma, vectors, self.radius or "exact")  # type: ignore[arg-type]

    def _build_additive(self, contract: Contract, sigma: float) -> Perturbation:
        on = self.on
        takes_points = isinstance(contract, PointContract)
        channels = contract.declared_channels
        noise = self._kind(**{"sigma": sigma})
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
                f"the last channel is the category, to which no noise is added; --on may be at "
                f"most 0:{contract.network_channels}."
            )
        return OnChannels(noise, int(first), int(end))


def _on_bands(noise: Perturbation, on: str, bands: Sequence[str]) -> Perturbation:
    """Return `noise` restricted to the bands in the comma-separated list `on`."""
    names = [name.strip() for name in on.split(",")]
    if unknown := [name for name in names if name not in bands]:
        raise ParameterError(
            f"--on must be band names ({join_band_names(bands)}) separated by commas, or channels "
            f"FIRST:END, at most 0:{len(bands)}, got {unknown[0]!r}."
        )
    channels = sorted({bands.index(name) for name in names})
    label = join_band_names([bands[channel] for channel in channels])
    return OnChannels(
        noise,
        channels[0],
        channels[-1] + 1,
        label if len(label) <= LONGEST else "",
        tuple(k for k in range(channels[0], channels[-1]) if k not in channels),
    )
