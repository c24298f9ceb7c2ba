"""The certificate of one input, which also knows the input: figure, scores, export."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass, field, fields
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.api.arrays import to_numpy
from onnxcert.data import read_labels
from onnxcert.errors import InputError
from onnxcert.metrics.scores import confusion, resample_labels, scores
from onnxcert.results.record import Provenance, Record
from onnxcert.sampling.tally import Component
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.guarantee import format_radius

if TYPE_CHECKING:
    import xarray
    from PIL import Image


@dataclass(frozen=True, eq=False)
class CertifiedInput:
    """What was certified.

    Attributes:
        name: name of the input.
        prepared: what figures show, see `onnxcert.api.inputs.ReadInput`.
        clean: labels without noise, integers [*grid].
        class_names: a name for each class, or for each label of a multi-label model.
        provenance: origin of the result.
    """

    name: str
    prepared: Any
    clean: IntArray
    class_names: tuple[str, ...]
    provenance: Provenance


@final
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class InputCertificate(Certificate):
    """The certificate of one input; see `onnxcert.statistics.certificate.Certificate`.

    Attributes:
        source: the input, its clean prediction and its origin.
    """

    source: CertifiedInput = field(repr=False)

    @classmethod
    def of(cls, certificate: Certificate, source: CertifiedInput) -> Self:
        """Return `certificate` with its input."""
        values = {f.name: getattr(certificate, f.name) for f in fields(Certificate)}
        return cls(**values, source=source)

    @property
    def clean(self) -> IntArray:
        """Labels without noise; integers [*grid]."""
        return self.source.clean

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for each class, or for each label of a multi-label model."""
        return self.source.class_names

    def accuracy(self, truth: Any, *, ignore_label: int | None = None) -> float | None:
        """Return the share of components certified for their true class; abstaining is wrong.

        Args:
            truth: true classes, integers [*grid] or [H, W] of the image; an array or tensor, or
                the file of a label map.
            ignore_label: components with this true class do not count.

        Returns:
            A number in [0, 1], or None if no component has a true class.

        Raises:
            InputError: the labels cannot be read, or have another shape or other classes.
        """
        labels = resample_labels(self._read_truth(truth, ignore_label), self.labels.shape)
        classes = self.tally.classes
        matrix = confusion(labels, self.labels, classes=classes, ignore_label=ignore_label)
        return scores(matrix).accuracy

    def _read_truth(self, truth: Any, ignore_label: int | None) -> IntArray:
        if isinstance(truth, str | PathLike):
            size = np.shape(self.source.prepared)[-2:]
            return read_labels(
                Path(truth),
                size=(size[0], size[1]),
                classes=self.tally.classes,
                ignore_label=ignore_label,
            )
        labels = to_numpy(truth)
        if labels.dtype.kind not in "iu":
            raise InputError(
                f"true classes must be integers, got {labels.dtype}; convert the labels."
            )
        shapes = [self.labels.shape, *([self.source.prepared.shape[-2:]] if self._is_image else [])]
        if labels.shape not in shapes:
            raise InputError(
                f"true classes must have the shape {list(self.labels.shape)} of the certificate, "
                f"got {list(labels.shape)}; pass the labels of this input."
            )
        if labels.size and not -(2**31) <= int(labels.min()) <= int(labels.max()) < 2**31:
            raise InputError(
                f"true classes must be at most {2**31 - 1}, got {labels.max()}; correct the labels."
            )
        return labels.astype(np.int32, copy=False)

    @property
    def _is_image(self) -> bool:
        prepared = self.source.prepared
        return isinstance(prepared, np.ndarray) and prepared.ndim == 3

    def record(self, truth: Any = None, *, ignore_label: int | None = None) -> Record:
        """Return the record of the input, as a run stores it; arguments as in `accuracy`."""
        source = self.source
        return Record.of(
            source.name,
            self,
            clean=source.clean,
            nonrobust=None,
            truth=None if truth is None else self._read_truth(truth, ignore_label),
            ignore_label=ignore_label,
            provenance=source.provenance,
        )

    def plot(
        self,
        path: str | PathLike[str] | None = None,
        *,
        truth: Any = None,
        ignore_label: int | None = None,
    ) -> Image.Image:
        """Return the figure that a run draws: input, prediction, certified part, hit rate, radii.

        Args:
            path: PNG to write, too; replaced atomically.
            truth: true classes to show; see `accuracy`.
            ignore_label: see `accuracy`.

        Raises:
            InputError: the input is no image or point cloud.
            StoreError: `path` cannot be written.
        """
        from onnxcert.api.figure import draw_certificate

        labels = None if truth is None else self._read_truth(truth, ignore_label)
        return draw_certificate(self, path, truth=labels, ignore_label=ignore_label)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write votes, certificate and origin to a new HDF5 file, and return its path.

        `onnxcert report`, `verify` and `decide` accept the file, as they accept a packed run.

        Raises:
            StoreError: the file exists or cannot be written.
        """
        from onnxcert.api.saving import save_certificate

        return save_certificate(self, Path(path))

    def to_xarray(self) -> xarray.Dataset:
        """Return labels, radii, hits and clean prediction as an `xarray.Dataset`.

        The attributes are the settings and the statement.

        Raises:
            ParameterError: xarray is not installed.
        """
        from onnxcert.api.dataset import to_dataset

        return to_dataset(self)

    @property
    def components_are(self) -> str:
        """What the components are, as text, such as ``pixels``."""
        component = Component.parse(self.tally.kind)
        return component.element.value if component.element.value else "components"

    def summary(self) -> str:
        """Return the result as one line: components, certified share, radius, draws."""
        tally, certified = self.tally, 1.0 - self.abstain_share
        radii = self.radii[~np.isnan(self.radii)]
        radius = format_radius(tally.perturbation, self.radius)
        if self.rule.radius_map:
            low, high = (
                (format_radius(tally.perturbation, float(bound(radii))) for bound in (min, max))
                if len(radii)
                else ("none", "none")
            )
            radius = f"{low} to {high}"
        return (
            f"{100 * certified:.1f} % of {tally.components:,} {self.components_are} certified, "
            f"radius {radius}, {tally.n} draws"
        )

    def __repr__(self) -> str:
        return f"<certificate of {self.source.name}: {self.summary()}>"

    def _repr_html_(self) -> str:
        line = f"<p>{html.escape(self.summary())}</p>"
        try:
            figure = self.plot()
        except InputError:
            return line  # no image or point cloud
        written = BytesIO()
        figure.save(written, "PNG")
        encoded = base64.b64encode(written.getvalue()).decode("ascii")
        return f'<img src="data:image/png;base64,{encoded}" style="max-width:100%"/>{line}'
