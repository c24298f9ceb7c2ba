"""The options that say which noise is drawn, and with it which attack is certified against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import typer

from onnxcert._typing import Perturbation
from onnxcert.cli.options import with_options
from onnxcert.cli.parsing import named
from onnxcert.errors import ParameterError
from onnxcert.inputs.pictures.bands import listed
from onnxcert.model.contract import Contract
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.points.contract import PointContract
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.perturbation import AxisRotation, Gaussian, OnChannels, Rotation

GAUSSIAN: Final = "gaussian"
ROTATION: Final = "rotation"
KINDS: Final = {kind: kind for kind in (GAUSSIAN, ROTATION)}
LONGEST: Final = 60  # of what `OnChannels` calls its channels
COORDINATES: Final = "coordinates"
WITH_NORMALS: Final = "coordinates+normals"

# Name -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "perturbation": (
        str,
        typer.Option(
            GAUSSIAN,
            "--perturbation",
            help="The noise, and with it the attack certified against: gaussian (added to pixels "
            "or coordinates) or rotation (of a shape, any axis).",
        ),
    ),
    "sigma": (
        float | None,
        typer.Option(
            None,
            "--sigma",
            help="Standard deviation of the noise, on pixels in [0, 1], on coordinates in the "
            "model's frame, or in radians; by default the one the model says it was trained with.",
        ),
    ),
    "on": (
        str | None,
        typer.Option(
            None,
            "--on",
            metavar="WHAT",
            help="What Gaussian noise is added to: coordinates (the default for points), "
            "coordinates+normals, channels FIRST:END, or the names of bands such as red,nir; by "
            "default all bands.",
        ),
    ),
    "axis": (
        str | None,
        typer.Option(
            None, "--axis", metavar="x|y|z", help="Rotate about this axis alone, in place of any."
        ),
    ),
    "radius": (
        str | None,
        typer.Option(
            None,
            "--radius",
            metavar="exact|classical",
            help="Radius of a rotation: exact (the default), or sigma * Phi^-1(tau) as published.",
        ),
    ),
}


@dataclass(frozen=True)
class Noise:
    """What the options said."""

    values: dict[str, Any]

    def of(self, segmenter: OnnxSegmenter, usual: float | None = None) -> Perturbation:
        """The noise for a model; sigma is what was said, what it was trained with, or `usual`.

        Raises:
            ParameterError: the options do not go together, or not with the model.
        """
        self._check()
        contract = segmenter.contract
        if self._turns and not isinstance(contract, PointContract):
            raise ParameterError(
                "rotations in space are for point clouds, but the model takes pictures; leave "
                "--perturbation out."
            )
        sigma = self.sigma(contract)
        sigma = usual if sigma is None else sigma
        if not sigma and sigma != 0.0:
            raise ParameterError(
                f"{segmenter.file.path} does not say which noise it was trained with; give "
                f"--sigma, e.g. --sigma {0.05 if contract.medium == 'points' else 0.25}."
            )
        if self._turns:
            assert isinstance(contract, PointContract)
            return self._rotation(contract, sigma)
        return self._gaussian(contract, sigma)

    def sigma(self, contract: Contract) -> float | None:
        """What was said, or what the model was trained with, if anything tells it."""
        said: float | None = self.values["sigma"]
        if said is not None:
            return said
        if not self._turns:
            return contract.trained_sigma
        return contract.trained_rotation if isinstance(contract, PointContract) else None

    def without_model(self) -> Perturbation | None:
        """The noise as far as it is known without a model; None where nobody said a sigma.

        Raises:
            ParameterError: the options do not go together.
        """
        self._check()
        sigma = self.values["sigma"]
        if sigma is None:
            return None
        return self._rotation(PointContract(), sigma) if self._turns else Gaussian(sigma)

    @property
    def said(self) -> bool:
        """Whether anything was said about the noise."""
        usual = {name: option.default for name, (_, option) in OPTIONS.items()}
        return self.values != usual

    @property
    def _turns(self) -> bool:
        return named(KINDS, self.values["perturbation"], "--perturbation") == ROTATION

    def _check(self) -> None:
        for name in ("on",) if self._turns else ("axis", "radius"):
            if self.values[name] is not None:
                kind = self.values["perturbation"]
                raise ParameterError(f"--{name} does not go with --perturbation {kind}; drop it.")

    def _rotation(self, contract: PointContract, sigma: float) -> Perturbation:
        said = self.values
        vectors = 2 if contract.has_normals else 1
        if said["axis"] is not None:
            if said["radius"] is not None:
                raise ParameterError(
                    "about one axis the published radius is exact; leave --radius out."
                )
            return AxisRotation(sigma, said["axis"], vectors)
        return Rotation(sigma, vectors, said["radius"] or "exact")

    def _gaussian(self, contract: Contract, sigma: float) -> Perturbation:
        on = self.values["on"]
        of_points = isinstance(contract, PointContract)
        channels = contract.declared_channels
        noise = Gaussian(sigma)
        if isinstance(contract, PointContract) and on in (None, COORDINATES):
            return noise if channels == 3 else OnChannels(noise, 0, 3, "the coordinates")
        if on is None:
            return noise
        if isinstance(contract, PointContract) and on == WITH_NORMALS:
            if not contract.has_normals:
                raise ParameterError(
                    f"the model takes no normals, so --on {on} has none; use --on {COORDINATES}."
                )
            return OnChannels(noise, 0, 6, "the coordinates and normals")
        bands = contract.bands if isinstance(contract, PictureContract) else ()
        if bands and ":" not in on:
            return _on_bands(noise, on, bands)
        first, colon, end = on.partition(":")
        if not (colon and first.isdecimal() and end.isdecimal() and int(end) <= channels):
            words = f"{COORDINATES}, {WITH_NORMALS} or " if of_points else ""
            raise ParameterError(
                f"--on must be {words}channels FIRST:END, at most 0:{channels}, got {on!r}."
            )
        if isinstance(contract, PointContract) and int(end) > contract.network_channels:
            raise ParameterError(
                f"the last channel tells the category, which takes no noise; --on may be at most "
                f"0:{contract.network_channels}."
            )
        return OnChannels(noise, int(first), int(end))


def _on_bands(noise: Gaussian, on: str, bands: Sequence[str]) -> Perturbation:
    """`noise` on the bands named in `on`."""
    names = [name.strip() for name in on.split(",")]
    if unknown := [name for name in names if name not in bands]:
        raise ParameterError(
            f"--on must be names of bands ({listed(bands)}) separated by commas, or channels "
            f"FIRST:END, at most 0:{len(bands)}, got {unknown[0]!r}."
        )
    places = sorted({bands.index(name) for name in names})
    called = listed([bands[place] for place in places])
    return OnChannels(
        noise,
        places[0],
        places[-1] + 1,
        called if len(called) <= LONGEST else "",
        tuple(k for k in range(places[0], places[-1]) if k not in places),
    )


with_noise_options = with_options(OPTIONS, "noise", Noise)
