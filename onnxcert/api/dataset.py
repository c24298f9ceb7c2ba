"""A certificate as an xarray data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Component

if TYPE_CHECKING:
    import xarray

    from onnxcert.api.certificate import InputCertificate


def to_dataset(certificate: InputCertificate) -> xarray.Dataset:
    """Return the data set; see `onnxcert.api.certificate.InputCertificate.to_xarray`."""
    try:
        import xarray
    except ImportError:
        raise ParameterError(
            "to_xarray needs xarray, which is not installed; install it, e.g. pip install xarray."
        ) from None
    tally, rule = certificate.tally, certificate.rule
    dimensions = _name_dimensions(certificate)
    arrays = {
        "labels": certificate.labels,
        "radii": certificate.radii,
        "candidate": tally.candidate,
        "hits": tally.hits,
        "clean": certificate.clean,
    }
    settings: dict[str, Any] = {
        "perturbation": tally.perturbation.name,
        "sigma": tally.perturbation.sigma,
        "seed": tally.draws.seed,
        "n": tally.n,
        "n0": tally.n0,
        "selection": tally.selection,
        "tau": np.array(rule.taus),
        "alpha": rule.alpha_per_input,
        "correction": rule.correction,
        "radius": certificate.radius,
        "unit": tally.unit,
        "class_names": list(certificate.class_names),
        "statement": certificate.statement(),
    }
    return xarray.Dataset(
        {name: (dimensions, np.asarray(array)) for name, array in arrays.items()}, attrs=settings
    )


def _name_dimensions(certificate: InputCertificate) -> tuple[str, ...]:
    """Return the name of each axis of the labels."""
    count = certificate.labels.ndim
    many = Component.parse(certificate.tally.kind).multilabel
    names = {0: (), 1: ("point",), 2: ("y", "x")}.get(count - many)
    if names is None:
        return tuple(f"axis {i}" for i in range(count))
    is_one = names == ("point",) and Component.parse(certificate.tally.kind).element.is_whole
    return (*(["label"] if many else []), *(("input",) if is_one else names))
