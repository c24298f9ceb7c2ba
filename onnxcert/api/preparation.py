"""A run from keywords: opened models, listed inputs, settings and folder; nothing is drawn yet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, Unpack

from onnxcert.api.keywords import (
    InputKeywords,
    ModelKeywords,
    Name,
    NoiseKeywords,
    RuleKeywords,
    RunKeywords,
    WorkerKeywords,
    select_keywords,
)
from onnxcert.api.listing import (
    check_category,
    collect_class_names,
    find_ignore_label,
    list_inputs,
)
from onnxcert.api.models import collect_contract, open_model
from onnxcert.api.noise import get_sigma, make_noise
from onnxcert.api.parallel import build_workers, has_workers, parse_shard
from onnxcert.api.quick import choose_quick_settings
from onnxcert.api.rules import make_rule
from onnxcert.data import Listing, Shard, read_usable_sizes
from onnxcert.data.paths import safe_name
from onnxcert.errors import OnnxcertError, ParameterError
from onnxcert.files.inside import inside
from onnxcert.model.bundled import find_model
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.question import MissingSetting, MissingSettings
from onnxcert.model.detect.detect import read_stated
from onnxcert.model.graph.file import ModelFile, read_model
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.results import ResultStore
from onnxcert.run.provenance import collect_parameters
from onnxcert.run.run import Run
from onnxcert.sampling.tally import Selection
from onnxcert.statistics.settings import Settings
from onnxcert.statistics.stopping import Stopping


def prepare_runs(
    model: Name | ModelFile | OnnxSegmenter,
    inputs: Name | Sequence[Name] | None = None,
    *,
    n: int | None = 100,
    n0: int = 10,
    selection: Selection = "pooled",
    seed: int | None = None,
    nonrobust: Name | ModelFile | OnnxSegmenter | None = None,
    out: Name | None = None,
    pictures: bool = True,
    batch_size: int | None = None,
    leak_check: int | Literal["off"] | None = None,
    checkpoint: float = 60.0,
    **keywords: Unpack[RunKeywords],
) -> list[Run]:
    """Return one run for each named output of the model; without a name, one run.

    Arguments and errors as in `onnxcert.certify_many`; `output` may be several names separated by
    commas, each of which has its own folder below `out`. If `n` is None, it is chosen for a quick
    trial, see `onnxcert.api.quick`.
    """
    if not checkpoint > 0:
        raise ParameterError(f"--checkpoint must be more than 0 seconds, got {checkpoint}.")
    if batch_size is not None and not 1 <= batch_size <= 4096:
        raise ParameterError(f"--batch-size must be from 1 to 4096, got {batch_size}.")
    shard = parse_shard(keywords.get("shard"), seed)
    source = _read(model)
    other_source = None if nonrobust is None else _read(nonrobust)
    file, is_open = (source.file, True) if isinstance(source, OnnxSegmenter) else (source, False)
    model_keywords: dict[str, Any] = select_keywords(keywords, ModelKeywords)
    if is_open and model_keywords:
        raise ParameterError(
            f"{next(iter(model_keywords))} applies to an ONNX file only; pass it to onnxcert.load."
        )
    given = collect_contract(model_keywords)
    stated = source.contract if isinstance(source, OnnxSegmenter) else read_stated(file, given)
    listing = list_inputs(
        file.path,
        _as_arguments(inputs),
        stated.modality,
        **select_keywords(keywords, InputKeywords),
    )
    if listing.categories and not is_open and "categories" not in {*given, *stated.sources}:
        model_keywords["categories"] = listing.categories
    ignore_label = find_ignore_label(keywords.get("ignore_label"), listing, file, stated.modality)
    names = collect_class_names(keywords.get("class_names"), listing)
    device: dict[str, Any] = {
        name: value for name, value in keywords.items() if name in ("device", "threads")
    }
    if isinstance(source, OnnxSegmenter):  # workers run it on the same kind of device
        device["device"] = source.session.device.partition(":")[0]
    driver = {"device": "cpu", "threads": 1} if has_workers(keywords) else device
    noise_keywords = select_keywords(keywords, NoiseKeywords)

    def prepare(head: str | None) -> Run:
        """Return the run for the output `head`; None for the output of the contract."""
        fields = {**model_keywords, **({} if head is None else {"output": head}), **driver}
        try:
            segmenter = _open(source, fields, names)
        except MissingSettings as error:
            raise add_run_settings(error, keywords, listing) from None
        other = None if other_source is None else _open(other_source, fields, ())
        check_category(keywords.get("category"), segmenter.entry)
        perturbation = make_noise(segmenter.contract, file.path, **noise_keywords)

        def make_settings(n: int) -> Settings:
            rule = make_rule(
                n,
                inputs=len(listing.items),
                whole=segmenter.classifies,
                **select_keywords(keywords, RuleKeywords),
            )
            return Settings(
                perturbation=perturbation,
                n=n,
                n0=n if rule.procedure == "predict" else n0,
                selection=selection,
                rule=rule,
                stopping=Stopping(
                    until=keywords.get("until"),
                    futility=keywords.get("futility"),
                    seconds=keywords.get("time"),
                ),
                leak_check=0 if leak_check == "off" else leak_check,
            )

        if n is None:
            settings = choose_quick_settings(segmenter, listing, keywords, n0, make_settings)
        else:
            settings = make_settings(n)
        workers = build_workers(
            segmenter, other, **device, **select_keywords(keywords, WorkerKeywords)
        )
        parameters = collect_parameters(
            segmenter, other, listing, settings, ignore_label, segmenter.backend.generator
        )
        folder = default_folder(file.path, parameters, seed, shard) if out is None else Path(out)
        return Run(
            segmenter=segmenter,
            nonrobust=other,
            listing=listing,
            settings=settings,
            store=ResultStore(
                inside(folder, safe_name(head)) if head and len(heads) > 1 else folder
            ),
            seed=seed,
            shard=shard,
            crew=workers,
            class_names=names,
            ignore_label=ignore_label,
            batch_size=batch_size,
            pictures=pictures,
            checkpoint_seconds=checkpoint,
        )

    output = keywords.get("output")
    heads: list[str | None] = [None] if output is None else [*output.split(",")]
    return [prepare(head) for head in heads]


def _read(model: Name | ModelFile | OnnxSegmenter) -> ModelFile | OnnxSegmenter:
    if isinstance(model, ModelFile | OnnxSegmenter):
        return model
    if isinstance(model, str | PathLike):
        return read_model(find_model(fspath(model)))
    raise ParameterError(
        f"a run needs an ONNX file or a model of onnxcert.load, got {type(model).__name__}; use "
        "onnxcert.certify for a function."
    )


def _open(
    source: ModelFile | OnnxSegmenter, keywords: Mapping[str, Any], names: Sequence[str]
) -> OnnxSegmenter:
    return (
        source if isinstance(source, OnnxSegmenter) else open_model(source, keywords, names=names)
    )


def _as_arguments(inputs: Name | Sequence[Name] | None) -> list[str]:
    """Return the names of the inputs; empty for None."""
    if inputs is None:
        return []
    return [fspath(one) for one in ([inputs] if isinstance(inputs, str | PathLike) else inputs)]


def default_folder(
    model: Path, parameters: Mapping[str, Any], seed: int | None, shard: Shard | None
) -> Path:
    """Return a folder name that is unique to the model, the parameters and the shard."""
    name = model.resolve().parent.name if model.name == "model.onnx" else model.stem
    asked = json.dumps({**parameters, "seed": seed}, sort_keys=True)
    name = f"{name}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
    if shard is not None:
        name += f"-shard-{shard.number}-of-{shard.count}"
    return Path("onnxcert-results") / name


def add_run_settings(
    error: MissingSettings, keywords: Mapping[str, Any], listing: Listing
) -> MissingSettings:
    """Add to `error` the settings that a run needs besides the contract: noise and input size."""
    contract, more = error.contract, []
    if contract is None:
        return error
    if get_sigma(contract, **select_keywords(keywords, NoiseKeywords)) is None:
        text = "the noise that the model was trained with is unknown; pass --sigma SIGMA"
        modality = contract.modality
        meaning = (
            f"standard deviation of the noise, in {modality.noise_unit}, for example "
            f"{modality.usual_sigma}"
        )
        more.append(MissingSetting(text, flag="--sigma", values=("SIGMA",), meaning=meaning))
    if isinstance(contract, ImageContract) and contract.size is not None:
        given = any(keywords.get(name) for name in ("resize", "size", "tile", "scales"))
        size = _read_first_size(listing, contract)
        if size not in (None, contract.size) and not (given or contract.usual_size):
            height, width = contract.size
            text = f"the model takes only images of {height}x{width} pixels; pass --resize"
            meaning = (
                f"resize images to {height}x{width}, the only size that the model takes; or pass "
                "--tile model to split larger images into tiles"
            )
            more.append(MissingSetting(text, flag="--resize", meaning=meaning))
    return error.with_questions(*more)


def _read_first_size(listing: Listing, contract: ImageContract) -> tuple[int, int] | None:
    """Return (height, width) of the first input, or None if it cannot be read."""
    try:
        sizes, _ = read_usable_sizes(replace(listing, items=listing.items[:1]), contract.bands)
    except OnnxcertError:  # the run reports it
        return None
    return next(iter(sizes.values()), None)
