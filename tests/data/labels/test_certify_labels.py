"""From the command line: the same labels in any convention, and pictures in any format, agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from PIL import Image

COLOURS = np.array([(128, 64, 128), (0, 0, 142), (9, 9, 9)], np.uint8)


@pytest.fixture
def bench(tmp_path: Path, pictures: Path) -> Path:
    """A model, the same pictures as PNG, TIFF and WebP, and their labels in three conventions."""
    graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    for kind in ("tif", "webp", "index", "colour", "number"):
        (tmp_path / kind).mkdir()
    for path in sorted(pictures.iterdir()):
        with Image.open(path) as image:
            image.save(tmp_path / "tif" / f"{path.stem}.tif", compression="tiff_lzw")
            image.save(tmp_path / "webp" / f"{path.stem}.webp", lossless=True)
            index = (np.asarray(image).mean(axis=2) > 127).astype(np.uint8)
        index[0] = 2
        Image.fromarray(index).save(tmp_path / "index" / f"{path.stem}.png")
        Image.fromarray(COLOURS[index]).save(tmp_path / "colour" / f"{path.stem}.png")
        Image.fromarray(index + 40).save(tmp_path / "number" / f"{path.stem}.tif")
    lines = [" ".join(map(str, colour)) for colour in COLOURS]
    (tmp_path / "palette.txt").write_text(f"{lines[0]} dark\n{lines[1]} bright\n{lines[2]} none\n")
    (tmp_path / "map.txt").write_text("40 0\n41 1\n42 2\n")
    return tmp_path


def certify(onnxcert: Any, bench: Path, out: str, pictures: str, *flags: object) -> dict[str, Any]:
    outcome = onnxcert(
        *("certify", bench / "model.onnx", bench / pictures, "--out", bench / out),
        *("--sigma", 0.1, "--seed", 5, "--ignore-label", 2, "--no-pictures", "--json", *flags),
        # Else a busy machine may choose one draw a pass, which the statement says.
        *("--batch-size", 4),
    )
    assert outcome.status == 0, outcome.err
    result: dict[str, Any] = outcome.json
    for varying in ("seconds", "out", "model"):
        result.pop(varying, None)
    return result


@pytest.mark.slow
def test_conventions_and_formats_agree(bench: Path, onnxcert: Any) -> None:
    palette = ("--labels", bench / "colour", "--palette", bench / "palette.txt")
    numbers = ("--labels", bench / "number", "--label-map", bench / "map.txt")
    names = ("--class-names", bench / "names.txt")
    (bench / "names.txt").write_text("dark\nbright\n")
    plain = certify(onnxcert, bench, "1", "pictures", "--labels", bench / "index", *names)
    assert certify(onnxcert, bench, "2", "tif", *palette) == plain
    assert certify(onnxcert, bench, "3", "webp", *numbers, *names) == plain


def test_another_convention_is_another_run(bench: Path, onnxcert: Any) -> None:
    palette = ("--labels", bench / "colour", "--palette", bench / "palette.txt")
    certify(onnxcert, bench, "1", "pictures", *palette)
    certify(onnxcert, bench, "1", "pictures", *palette)
    swapped = bench / "swapped.txt"
    swapped.write_text("1 128 64 128\n0 0 0 142\n2 9 9 9\n")
    outcome = onnxcert(
        *("certify", bench / "model.onnx", bench / "pictures", "--out", bench / "1"),
        *("--sigma", 0.1, "--seed", 5, "--ignore-label", 2, "--no-pictures"),
        *("--labels", bench / "colour", "--palette", swapped),
    )
    assert "label_coding" in outcome.refusal


def test_an_unknown_colour_ends_in_one_sentence(bench: Path, onnxcert: Any) -> None:
    (bench / "palette.txt").write_text("128 64 128 dark\n0 0 142 bright\n")
    outcome = onnxcert(
        *("certify", bench / "model.onnx", bench / "pictures", "--out", bench / "1"),
        *("--sigma", 0.1, "--json", "--labels", bench / "colour"),
        *("--palette", bench / "palette.txt"),
    )
    assert "9 9 9 (#090909) occurs, first in row 0, column 0" in outcome.refusal
    assert "Traceback" not in outcome.refusal
