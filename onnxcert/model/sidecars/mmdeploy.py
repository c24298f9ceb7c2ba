"""Read `deploy.json` and `pipeline.json` of MMDeploy, which lie beside a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from onnxcert.model.sidecars.claim import SourceReader, SourceSettings

DEPLOY: Final = "deploy.json"
PIPELINE: Final = "pipeline.json"

_TASKS: Final = {"Segmentor": "segmentation", "Classifier": "classification"}
_SILENT: Final = frozenset(  # steps that change no pixel
    {"LoadImageFromFile", "DefaultFormatBundle", "ImageToTensor", "Collect", "PackSegInputs"}
    | {"PackClsInputs", "PackInputs", "LoadAnnotations"}
)


def deploy(reader: SourceReader, model: str) -> SourceSettings | None:
    """Read the entry of `deploy.json` for the file called `model`; return None if it has none."""
    models = reader.values.get("models")
    if not isinstance(models, list) or not isinstance(reader.values.get("task"), str):
        return None
    if not any(isinstance(entry, dict) and entry.get("net") == model for entry in models):
        return None
    task = reader.values["task"]
    if task in _TASKS:
        return SourceSettings(reader.source, {"task": _TASKS[task]})
    return SourceSettings(reader.source, {}, task=f"{reader.source} says that it is a {task[:60]}")


def pipeline(reader: SourceReader) -> SourceSettings | None:
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
