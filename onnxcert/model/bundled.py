"""Models that come with onnxcert, found by name."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from onnxcert.errors import ModelError

MODEL_FILE = "model.onnx"


def bundled_models() -> dict[str, Path]:
    """Name -> ONNX file of each bundled model; from the installed package or the checkout."""
    folders = [Path(__file__).parents[2] / "models"]
    with suppress(ModuleNotFoundError):
        folders.append(Path(str(files("onnxcert.bundled"))))
    for folder in folders:
        found = {path.parent.name: path for path in sorted(folder.glob(f"*/{MODEL_FILE}"))}
        if found:
            return found
    return {}


def find_model(name: str) -> Path:
    """The file called `name`, or else the bundled model of that name.

    Raises:
        ModelError: neither exists.
    """
    path, bundled = Path(name), bundled_models()
    if path.is_file() or (path.exists() and name not in bundled):  # a folder hides no model
        return path
    if name in bundled:
        return bundled[name]
    raise ModelError(
        f"there is no model {name}; name an ONNX file, or a bundled model "
        f"({', '.join(bundled) or 'none installed'})."
    )


def samples(model: Path) -> tuple[Path, Path | None] | None:
    """Folders of samples and of their labels beside a model, if it has them.

    Point clouds lie in `samples/shapes` and hold their labels themselves.
    """
    shapes, images, labels = (
        model.parent / "samples" / kind for kind in ("shapes", "images", "labels")
    )
    if shapes.is_dir():
        return shapes, None
    return (images, labels) if images.is_dir() and labels.is_dir() else None
