"""Certification of one input, or of a few in memory, with one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike
from typing import Any, Final, Literal, Unpack, overload

from onnxcert._typing import FloatArray, Perturbation
from onnxcert.api.certificate import InputCertificate
from onnxcert.api.input_certification import InputCertification
from onnxcert.api.inputs import read_input
from onnxcert.api.keyword_checks import check_keywords
from onnxcert.api.keywords import (
    ModelKeywords,
    Name,
    OneKeywords,
    RuleKeywords,
    StoppingKeywords,
    select_keywords,
)
from onnxcert.api.models import load
from onnxcert.api.noise import make_noise, make_noise_without_model
from onnxcert.api.progress import Bar, follow
from onnxcert.api.rules import make_rule
from onnxcert.api.wrapped import is_module, wrap
from onnxcert.data.points import PointCloud
from onnxcert.errors import ParameterError
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.run.progress import ProgressListener
from onnxcert.sampling import Count, Segmenter, as_segmenter
from onnxcert.sampling.draws import random_seed
from onnxcert.sampling.tally import Selection, passes
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.settings import Settings
from onnxcert.statistics.stopping import Stopping

Model = Name | Segmenter | Callable[[Any], Any]

_IMAGE_LAYOUTS: Final = ("CHW", "HWC")


@overload
def certify(
    model: Model,
    image: list[Any] | tuple[Any, ...],
    perturbation: Perturbation | str | None = None,
    **keywords: Any,
) -> list[InputCertificate]: ...
@overload
def certify(
    model: Model,
    image: Name | FloatArray | PointCloud | Any,
    perturbation: Perturbation | str | None = None,
    **keywords: Any,
) -> InputCertificate: ...
@check_keywords(OneKeywords)  # type: ignore[misc]  # the overloads leave the keywords to it
def certify(
    model: Model,
    image: Any,
    perturbation: Perturbation | str | None = None,
    *,
    sigma: float | None = None,
    on: str | None = None,
    axis: str | None = None,
    radius: str | None = None,
    n: int = 100,
    n0: int = 10,
    selection: Selection = "pooled",
    rule: Rule | None = None,
    stopping: Stopping | None = None,
    seed: int | None = None,
    batch_size: int | None = None,
    leak_check: int | Literal["off"] | None = None,
    layout: str | None = None,
    range: Sequence[float] | None = None,
    columns: str | None = None,
    category: str | None = None,
    class_names: Sequence[str] = (),
    classes: int | None = None,
    unit: str | None = None,
    progress: bool | ProgressListener = False,
    on_batch: Callable[[Count], None] | None = None,
    **keywords: Unpack[OneKeywords],
) -> InputCertificate | list[InputCertificate]:
    """Certify the predictions of a model on one input, or on each input of a list.

    Args:
        model: an opened model (`onnxcert.load`, `onnxcert.wrap`), an ONNX file, the name of a
            bundled model, or a function from a float32 batch [B, ...] to labels [B, *grid].
        image: an image: array or tensor of any library, [C, H, W] or [H, W, C], or [H, W] for a
            model of one channel; PIL image; or file. Floats are in [0, 1], uint8 from 0 to 255,
            see `range`. For a model of points a `PointCloud` or file (normalised and resampled for
            the model), or an array [c, N] that is already normalised and resampled. For a function
            any array of floats. A list of inputs gives a list of certificates.
        perturbation: a perturbation such as `Gaussian(0.25)`, or its name. Default: Gaussian noise.
        sigma: standard deviation of the noise if `perturbation` is a name or None; for Gaussian
            noise on the pixels in [0, 1] (whatever `range` is) or on the coordinates. Without it,
            that of the noise that the model was trained with.
        on: channels that get the noise; as on the command line.
        axis: axis of a rotation; as on the command line.
        radius: ``exact`` or ``classical`` radius of a rotation.
        n: draws tested; with `looks` the maximum.
        n0: draws that select the candidate class.
        selection: ``pooled`` or ``split``; see `onnxcert.statistics.settings.Settings`.
        rule: the rule as an object, in place of the keywords that define it.
        stopping: reasons to stop at a look, in place of `until`, `futility` and `time`.
        seed: seed of the draws; random if None. A run with the same seed gives the same
            certificate.
        batch_size: draws per call of the model; the result does not depend on it. If the model is
            not batch-invariant, all draws are counted again one by one.
        leak_check: draws that are run again without batch mates to check batch invariance; None for
            as many as needed, 0 or ``off`` for none. See `onnxcert.sampling.leak_check`.
        layout: ``CHW`` or ``HWC``, for images whose shape fits both. Any other value is the layout
            of the model's input.
        range: values of black and white of the image, if they are not the usual ones.
        columns: columns of a point file; see `onnxcert.data.points.read_cloud`.
        category: category of the shape.
        class_names: a name for each class; by default those of the model.
        classes: number of classes; only needed for a function without the attribute `classes`, and
            for a file that gives class indices.
        unit: the unit of the input as text, for the statement.
        progress: True for a progress bar.
        on_batch: called after every batch.
        keywords: the rule, reasons to stop, and for an ONNX file contract, preprocessing and
            device, as on the command line; see `onnxcert.api.keywords.OneKeywords`.

    Raises:
        OnnxcertError: the model, an input or a keyword cannot be used.
    """
    model_keywords: dict[str, Any] = select_keywords(keywords, ModelKeywords)
    if layout is not None and layout not in _IMAGE_LAYOUTS:
        model_keywords["layout"], layout = layout, None
    segment = _open(model, model_keywords, classes)
    several = isinstance(image, list | tuple)
    images = list(image) if several else [image]
    noise = {
        "perturbation": perturbation,
        "sigma": sigma,
        "on": on,
        "axis": axis,
        "radius": radius,
    }
    settings = _make_settings(
        segment,
        noise,
        keywords,
        inputs=len(images),
        rule=rule,
        stopping=stopping,
        n=n,
        n0=n0,
        selection=selection,
        leak_check=0 if leak_check == "off" else leak_check,
    )
    seed = random_seed() if seed is None else seed
    certificates = []
    with ExitStack() as stack:
        listener = progress if isinstance(progress, ProgressListener) else ProgressListener()
        if progress is True:
            listener = stack.enter_context(Bar())
        listener.begin(len(images), passes(settings.n, settings.n0, selection))
        for place, one in enumerate(images, 1):
            read = read_input(
                one,
                segment,
                layout=layout,
                range=range,
                columns=columns,
                category=category,
                unit=unit,
            )
            job = InputCertification(
                segment, read, settings, seed, batch_size, classes, tuple(class_names)
            )
            certificates.append(job.certify(follow(listener, place, read.name, on_batch)))
    return certificates if several else certificates[0]


def _open(model: Model, keywords: dict[str, Any], classes: int | None) -> Segmenter:
    """Return the model, opened if it is a file."""
    if isinstance(model, str | PathLike):
        return load(model, **(keywords if classes is None else {**keywords, "classes": classes}))
    if keywords:
        name = next(iter(keywords))
        if name == "layout":
            raise ParameterError(f"layout must be CHW or HWC, got {keywords[name]!r}.")
        opened = isinstance(model, OnnxSegmenter)
        raise ParameterError(
            f"{name} applies to an ONNX file only; "
            + ("pass it to onnxcert.load." if opened else "leave it out.")
        )
    return wrap(model, classes=classes) if is_module(model) else as_segmenter(model)


def _make_settings(
    model: Segmenter,
    noise: dict[str, Any],
    keywords: Mapping[str, Any],
    *,
    inputs: int,
    rule: Rule | None,
    stopping: Stopping | None,
    n: int,
    n0: int,
    **settings: Any,
) -> Settings:
    rule_keywords, stopping_keywords = (
        select_keywords(keywords, RuleKeywords),
        select_keywords(keywords, StoppingKeywords),
    )
    for given, name, replaced in (
        (rule, "rule", rule_keywords),
        (stopping, "stopping", stopping_keywords),
    ):
        if given is not None and replaced:
            keyword = next(iter(replaced))
            raise ParameterError(f"{keyword} conflicts with {name}; set it in the {name}.")
    if rule is None:
        whole = isinstance(model, OnnxSegmenter) and model.classifies
        rule = make_rule(n, inputs=inputs, whole=whole, **rule_keywords)
    elif rule.alpha_scope == "dataset" and rule.inputs < inputs:
        rule = rule.but(inputs=inputs)  # alpha is shared over all that are certified here
    if stopping is None:
        seconds = stopping_keywords.pop("time", None)
        stopping = Stopping(**stopping_keywords, seconds=seconds)
    return Settings(
        perturbation=_make_noise(model, noise),
        n=n,
        n0=n if rule.procedure == "predict" else n0,
        rule=rule,
        stopping=stopping,
        **settings,
    )


def _make_noise(model: Segmenter, keywords: dict[str, Any]) -> Perturbation:
    if isinstance(model, OnnxSegmenter):
        return make_noise(model.contract, model.file.path, **keywords)
    if keywords["on"] is not None:
        raise ParameterError("on needs an ONNX model; pass onnxcert.OnChannels as perturbation.")
    found = make_noise_without_model(**keywords)
    if found is None:
        raise ParameterError("the noise is unknown; pass sigma, e.g. sigma=0.25.")
    return found
