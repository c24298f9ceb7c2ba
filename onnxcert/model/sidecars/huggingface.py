"""Read `preprocessor_config.json` and `config.json` of the library transformers."""

from __future__ import annotations

from typing import Any, Final

from onnxcert.model.sidecars.claim import Claim, Said

PREPROCESSOR: Final = "preprocessor_config.json"
CONFIG: Final = "config.json"

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


def preprocessor(said: Said) -> Claim | None:
    """Read `preprocessor_config.json`; return None if it is not for an image processor."""
    if not _PREPROCESSOR_KEYS & set(said.values):
        return None
    fields, ignored = _pixels(said)
    size, unused = _size(said)
    if size is not None:
        fields["resize"] = size
    return Claim(
        said.source,
        fields,
        (*ignored, *unused, *_other_steps(said)),
        reduces_labels=said.flag("do_reduce_labels") or said.flag("reduce_labels"),
    )


def _pixels(said: Said) -> tuple[dict[str, Any], list[str]]:
    """Return range, mean, std and channel order, and notes on unsupported settings."""
    if said.flag("include_top"):
        return {}, [f"{said.source} normalises twice (include_top), which is not supported"]
    # Earlier versions do not write do_rescale, and divide by 255.
    factor = said.number("rescale_factor", 1 / _BYTE) if said.flag("do_rescale", True) else 1.0
    if not factor > 0:
        raise said.refused("rescale_factor", "a number above 0")
    low = -1.0 if said.flag("rescale_offset") or said.flag("offset") else 0.0
    fields: dict[str, Any] = {"value_range": (low, low + round(_BYTE * factor, 6))}
    numbers = {name: f"image_{name}" for name in ("mean", "std")}
    stated = [key for key in numbers.values() if said.given(key)]
    if "do_normalize" not in said.values and not stated and "do_rescale" not in said.values:
        return {}, [f"{said.source} does not say whether it normalises pixels"]
    # Versions that write do_rescale write every step.
    if said.flag("do_normalize", default=bool(stated)):
        if len(stated) < len(numbers):
            return {}, [f"{said.source} normalises pixels but does not give both mean and std"]
        fields |= {name: said.numbers(key) for name, key in numbers.items()}
    else:
        fields |= {"mean": (), "std": ()}
    fields["normalise"] = "after"
    if len(fields["mean"]) in (0, 3):
        fields["channel_order"] = "BGR" if said.flag("do_flip_channel_order") else "RGB"
    return fields, []


def _size(said: Said) -> tuple[tuple[int, int] | None, list[str]]:
    """Return the (height, width) to which every image is resized, or notes why it is unknown."""
    if not said.flag("do_resize", default=said.given("size")) or not said.given("size"):
        return None, []
    value = said.values["size"]
    kind = str(
        said.values.get("image_processor_type") or said.values.get("feature_extractor_type") or ""
    )
    sides = value if isinstance(value, dict) else {}
    if isinstance(value, int) and kind.startswith(_SQUARE):
        sides = {"height": value, "width": value}
    found = sides.get("height"), sides.get("width")
    if set(sides) - {"height", "width"} or None in found:
        return None, [
            f"{said.source} resizes by a rule that is not supported (size {_shown(value)})"
        ]
    for step in ("do_center_crop", "keep_aspect_ratio"):
        if said.flag(step):
            return None, [f"{said.source} resizes with {step}, which is not supported"]
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 < n <= 65536 for n in found):
        raise said.refused("size", "a height and a width in pixels")
    return (int(found[0] or 0), int(found[1] or 0)), []


def _other_steps(said: Said) -> list[str]:
    """Return notes on steps of the processor that onnxcert does not do."""
    steps = [step for step in ("do_center_crop", "do_pad", "do_grayscale") if said.flag(step)]
    notes = [f"{said.source} says {step}, which is not done here" for step in steps]
    if said.flag("do_resize") and said.given("resample") and said.values["resample"] != _BILINEAR:
        notes.append(
            f"{said.source} resizes with resample {_shown(said.values['resample'])}; here it is "
            "bilinear"
        )
    return notes


def config(said: Said) -> Claim | None:
    """Read `config.json`; return None if another program wrote it."""
    if not _CONFIG_KEYS & set(said.values):
        return None
    fields: dict[str, Any] = {}
    ignored = []
    refusal = ""
    named = said.values.get("architectures")
    architectures = named if isinstance(named, list) else []
    tasks = {task for a in architectures for end, task in _TASKS.items() if str(a).endswith(end)}
    others = [a for a in architectures if str(a).endswith(_OTHER_TASKS)]
    if len(tasks) == 1 and not others:
        (fields["task"],) = tasks
    elif others and not tasks:
        refusal = f"{said.source} says that it is a {_shown(others[0])}"
    elif others or tasks:
        ignored.append(f"{said.source} names several architectures")
    if said.given("id2label"):
        names = said.names("id2label")
        if len(names) > 1:
            fields["classes"] = len(names)
            if not all(name == f"LABEL_{i}" for i, name in enumerate(names)):
                fields["class_names"] = names
    if said.values.get("problem_type") == "multi_label_classification":
        fields["output_form"] = "multilabel"
        fields.pop("classes", None)  # this is the number of labels; the classes are yes and no
    ignore = said.values.get("semantic_loss_ignore_index")
    usual = isinstance(ignore, int) and not isinstance(ignore, bool) and 0 <= ignore <= 255
    beyond = usual and ignore >= fields.get("classes", 0)
    return Claim(
        said.source, fields, tuple(ignored), refusal, ignore_label=ignore if beyond else None
    )


def _shown(value: Any) -> str:
    return str(value)[:60]
