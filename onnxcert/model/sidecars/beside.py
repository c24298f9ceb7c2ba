"""Read the JSON files of transformers and MMDeploy beside a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from onnxcert.model.sidecars.source import SourceReader, SourceSettings, read_json

_EXPORTS: Final = "onnx"  # the folder for exports on the Hugging Face hub and of optimum
_BYTE: Final = 255.0
_BILINEAR: Final = 2  # of Pillow's filters
_PREPROCESSOR_KEYS: Final = frozenset(
    {"image_mean", "image_std", "do_normalize", "do_rescale", "rescale_factor", "do_resize"}
    | {"image_processor_type", "feature_extractor_type"}
)
_CONFIG_KEYS: Final = frozenset({"architectures", "model_type", "id2label"})
# Processors whose earlier versions write the side of a square as one number.
_SQUARE: Final = ("Segformer", "ViT", "Beit")
_TASKS: Final = {
    "ForSemanticSegmentation": "segmentation",
    "ForImageClassification": "classification",
}
_OTHER_TASKS: Final = (
    *("ForInstanceSegmentation", "ForUniversalSegmentation", "ForObjectDetection", "Backbone"),
    *("ForDepthEstimation", "ForImageSuperResolution", "ForMaskGeneration", "ForPreTraining"),
    *("ForMaskedImageModeling", "ForKeypointDetection", "ForImageMatting", "Model"),
)

_MMDEPLOY_TASKS: Final = {"Segmentor": "segmentation", "Classifier": "classification"}
_SILENT: Final = frozenset(  # steps that change no pixel
    {"LoadImageFromFile", "DefaultFormatBundle", "ImageToTensor", "Collect", "PackSegInputs"}
    | {"PackClsInputs", "PackInputs", "LoadAnnotations"}
)


def read_beside(model: Path) -> Iterator[SourceSettings | None]:
    """Yield the settings of the files beside the model, or in the folder above `onnx/`.

    Raises:
        ContractError: A file that belongs to the model cannot be read.
    """
    folder = model.parent
    parsers = {"preprocessor_config.json": _read_preprocessor, "config.json": _read_config}
    for name, parse in parsers.items():
        reader = read_json(folder / name, name)
        if reader is None and folder.absolute().name == _EXPORTS:
            reader = read_json(folder.absolute().parent / name, f"../{name}")
        if reader is not None:
            yield parse(reader)
    deploy = read_json(folder / "deploy.json", "deploy.json")
    about = None if deploy is None else _read_deploy(deploy, model.name)
    if about is not None:
        yield about
        pipeline = read_json(folder / "pipeline.json", "pipeline.json")
        if pipeline is not None:
            yield _read_pipeline(pipeline)


def _read_preprocessor(reader: SourceReader) -> SourceSettings | None:
    """Read `preprocessor_config.json`; return None if it is not for an image processor."""
    if not _PREPROCESSOR_KEYS & set(reader.values):
        return None
    fields, ignored = _pixels(reader)
    size, unused = _size(reader)
    if size is not None:
        fields["resize"] = size
    return SourceSettings(
        reader.source,
        fields,
        (*ignored, *unused, *_other_steps(reader)),
        reduces_labels=reader.flag("do_reduce_labels") or reader.flag("reduce_labels"),
    )


def _pixels(reader: SourceReader) -> tuple[dict[str, Any], list[str]]:
    """Return range, mean, std and channel order, and notes on unsupported settings."""
    if reader.flag("include_top"):
        return {}, [f"{reader.source} normalises twice (include_top), which is not supported"]
    # Earlier versions do not write do_rescale, and divide by 255.
    factor = reader.number("rescale_factor", 1 / _BYTE) if reader.flag("do_rescale", True) else 1.0
    if not factor > 0:
        raise reader.type_error("rescale_factor", "a number above 0")
    low = -1.0 if reader.flag("rescale_offset") or reader.flag("offset") else 0.0
    fields: dict[str, Any] = {"value_range": (low, low + round(_BYTE * factor, 6))}
    numbers = {name: f"image_{name}" for name in ("mean", "std")}
    stated = [key for key in numbers.values() if reader.has(key)]
    if "do_normalize" not in reader.values and not stated and "do_rescale" not in reader.values:
        return {}, [f"{reader.source} does not say whether it normalises pixels"]
    # Versions that write do_rescale write every step.
    if reader.flag("do_normalize", default=bool(stated)):
        if len(stated) < len(numbers):
            return {}, [f"{reader.source} normalises pixels but does not give both mean and std"]
        fields |= {name: reader.numbers(key) for name, key in numbers.items()}
    else:
        fields |= {"mean": (), "std": ()}
    fields["normalise"] = "after"
    if len(fields["mean"]) in (0, 3):
        fields["channel_order"] = "BGR" if reader.flag("do_flip_channel_order") else "RGB"
    return fields, []


def _size(reader: SourceReader) -> tuple[tuple[int, int] | None, list[str]]:
    """Return the (height, width) to which every image is resized, or notes why it is unknown."""
    if not reader.flag("do_resize", default=reader.has("size")) or not reader.has("size"):
        return None, []
    value = reader.values["size"]
    kind = str(
        reader.values.get("image_processor_type")
        or reader.values.get("feature_extractor_type")
        or ""
    )
    sides = value if isinstance(value, dict) else {}
    if isinstance(value, int) and kind.startswith(_SQUARE):
        sides = {"height": value, "width": value}
    found = sides.get("height"), sides.get("width")
    if set(sides) - {"height", "width"} or None in found:
        return None, [
            f"{reader.source} resizes by a rule that is not supported (size {_describe(value)})"
        ]
    for step in ("do_center_crop", "keep_aspect_ratio"):
        if reader.flag(step):
            return None, [f"{reader.source} resizes with {step}, which is not supported"]
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 < n <= 65536 for n in found):
        raise reader.type_error("size", "a height and a width in pixels")
    return (int(found[0] or 0), int(found[1] or 0)), []


def _other_steps(reader: SourceReader) -> list[str]:
    """Return notes on steps of the processor that onnxcert does not do."""
    steps = [step for step in ("do_center_crop", "do_pad", "do_grayscale") if reader.flag(step)]
    notes = [f"{reader.source} says {step}, which is not done here" for step in steps]
    if (
        reader.flag("do_resize")
        and reader.has("resample")
        and reader.values["resample"] != _BILINEAR
    ):
        notes.append(
            f"{reader.source} resizes with resample {_describe(reader.values['resample'])}; here "
            "it is bilinear"
        )
    return notes


def _read_config(reader: SourceReader) -> SourceSettings | None:
    """Read `config.json`; return None if another program wrote it."""
    if not _CONFIG_KEYS & set(reader.values):
        return None
    fields: dict[str, Any] = {}
    ignored = []
    refusal = ""
    named = reader.values.get("architectures")
    architectures = [str(name) for name in (named if isinstance(named, list) else [])]
    tasks = {task for end, task in _TASKS.items() for a in architectures if a.endswith(end)}
    others = [name for name in architectures if name.endswith(_OTHER_TASKS)]
    if len(tasks) == 1 and not others:
        (fields["task"],) = tasks
    elif others and not tasks:
        refusal = f"{reader.source} says that it is a {_describe(others[0])}"
    elif others or tasks:
        ignored.append(f"{reader.source} names several architectures")
    if reader.has("id2label"):
        names = reader.class_names("id2label")
        if len(names) > 1:
            fields["classes"] = len(names)
            if not all(name == f"LABEL_{i}" for i, name in enumerate(names)):
                fields["class_names"] = names
    if reader.values.get("problem_type") == "multi_label_classification":
        fields["output_form"] = "multilabel"
        fields.pop("classes", None)  # this is the number of labels; the classes are yes and no
    ignore = reader.values.get("semantic_loss_ignore_index")
    usual = isinstance(ignore, int) and not isinstance(ignore, bool) and 0 <= ignore <= 255
    beyond = usual and ignore >= fields.get("classes", 0)
    return SourceSettings(
        reader.source, fields, tuple(ignored), refusal, ignore_label=ignore if beyond else None
    )


def _describe(value: Any) -> str:
    return str(value)[:60]


def _read_deploy(reader: SourceReader, model: str) -> SourceSettings | None:
    """Read the entry of `deploy.json` for the file called `model`; return None if it has none."""
    models = reader.values.get("models")
    if not isinstance(models, list) or not isinstance(reader.values.get("task"), str):
        return None
    if not any(isinstance(entry, dict) and entry.get("net") == model for entry in models):
        return None
    task = reader.values["task"]
    if task in _MMDEPLOY_TASKS:
        return SourceSettings(reader.source, {"task": _MMDEPLOY_TASKS[task]})
    return SourceSettings(reader.source, {}, task=f"{reader.source} says that it is a {task[:60]}")


def _read_pipeline(reader: SourceReader) -> SourceSettings | None:
    """Read `pipeline.json`; return None if another program wrote it."""
    steps = list(_steps(reader))
    if not steps:
        return None
    ignored = [
        f"{reader.source} has the step {step['type'][:60]}, which is not supported"
        for step in steps
        if step["type"] not in _SILENT | {"Normalize", "Resize"}
    ]
    fields: dict[str, Any] = {}
    normalise = [step for step in steps if step["type"] == "Normalize"]
    if len(normalise) > 1:
        ignored.append(f"{reader.source} normalises pixels more than once, which is not supported")
    elif normalise:
        step = SourceReader(reader.source, normalise[0])
        if step.has("mean") and step.has("std"):
            fields = {name: step.numbers(name) for name in ("mean", "std")}
            fields |= {"value_range": (0.0, 255.0), "normalise": "after"}
        if step.has("to_rgb") and len(fields.get("mean", ())) == 3:
            fields["channel_order"] = "RGB" if step.flag("to_rgb") else "BGR"
    for resize in (step for step in steps if step["type"] == "Resize"):
        size = resize.get("size")
        sides = size if isinstance(size, list) and len(size) == 2 else [size, size]
        # The order of the sides differs between versions of MMDeploy.
        side = sides[0] if sides[0] == sides[1] else None
        square = type(side) is int and 0 < side <= 65536
        if square and resize.get("keep_ratio") is False and "resize" not in fields:
            fields["resize"] = (side, side)
        else:
            ignored.append(f"{reader.source} resizes by a rule that is not supported")
    return SourceSettings(reader.source, fields, tuple(ignored))


def _steps(reader: SourceReader) -> Iterator[dict[str, Any]]:
    """Yield the preprocessing steps before the network."""
    pipeline = reader.values.get("pipeline")
    tasks = pipeline.get("tasks") if isinstance(pipeline, dict) else None
    for task in tasks if isinstance(tasks, list) else ():
        if isinstance(task, dict) and task.get("module") == "Transform":
            steps = task.get("transforms")
            for step in steps if isinstance(steps, list) else ():
                if isinstance(step, dict) and isinstance(step.get("type"), str):
                    yield step
