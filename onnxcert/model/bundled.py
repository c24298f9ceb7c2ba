"""Find the models that are part of onnxcert by name."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from onnxcert.errors import ModelError

MODEL_FILE = "model.onnx"


def bundled_models() -> dict[str, Path]:
    """Return name -> ONNX file of the bundled models, from the installed package or checkout."""
    folders = [Path(__file__).parents[2] / "models"]
    with suppress(ModuleNotFoundError):
        folders.append(Path(str(files("onnxcert.bundled"))))
    for folder in folders:
        found = {path.parent.name: path for path in sorted(folder.glob(f"*/{MODEL_FILE}"))}
        if found:
            return found
    return {}


def find_model(name: str) -> Path:
    """Return the file called `name`, the one in a folder of this name, or the bundled model.

    Raises:
        ModelError: No such model exists, or the folder holds several ONNX files.
    """
    path, bundled = Path(name), bundled_models()
    if path.is_dir() and name not in bundled:  # a folder does not hide a bundled model
        return _find_in_folder(path)
    if path.is_file() or (path.exists() and name not in bundled):
        return path
    if name in bundled:
        return bundled[name]
    raise ModelError(
        f"there is no model {name}; name an ONNX file, or a bundled model "
        f"({', '.join(bundled) or 'none installed'})."
    )


def _find_in_folder(folder: Path) -> Path:
    """Return the ONNX file of a folder laid out as on the Hugging Face hub: in it or in `onnx/`."""
    try:
        found = sorted(folder.glob("*.onnx")) or sorted(folder.glob("onnx/*.onnx"))
    except OSError as error:
        raise ModelError(
            f"{folder} cannot be read ({error.strerror}); name an ONNX file."
        ) from None
    usual = [path for path in found if path == folder / "onnx" / MODEL_FILE]
    if len(found) == 1 or usual:
        return (usual or found)[0]
    if not found:
        raise ModelError(f"{folder} is a folder without an ONNX file; name the file itself.")
    names = ", ".join(path.name for path in found[:5]) + (", ..." if found[5:] else "")
    raise ModelError(
        f"{folder} holds {len(found)} ONNX files ({names}) where one was expected; name the file."
    )


def samples(model: Path) -> tuple[Path, Path | None] | None:
    """Return the folders of samples and of labels beside a model, or None.

    Point clouds are in `samples/shapes`; their files contain the labels.
    """
    shapes, images, labels = (
        model.parent / "samples" / kind for kind in ("shapes", "images", "labels")
    )
    if shapes.is_dir():
        return shapes, None
    return (images, labels) if images.is_dir() and labels.is_dir() else None
