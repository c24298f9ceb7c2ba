"""Model files: what is no model is refused in a sentence, what is bundled is found by name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import graphs
import numpy as np
import onnx
import pytest
from refusals import one_sentence

from onnxcert import OnnxSegmenter
from onnxcert.errors import ModelError
from onnxcert.model import bundled
from onnxcert.model.bundled import find_model, samples
from onnxcert.model.graph.file import read_model


def refusal(path: Path) -> str:
    with one_sentence(ModelError) as caught:
        read_model(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_missing_file_a_folder_and_what_is_no_model(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "nothing.onnx")
    assert "folder" in refusal(tmp_path)
    for name, content in {
        "empty.onnx": b"",
        "text.onnx": b"this is a text",
        "zeros.onnx": bytes(1000),
        "noise.onnx": np.random.default_rng(0).bytes(1000),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert "not an ONNX model" in refusal(tmp_path / name)


def test_a_model_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = graphs.conv(contract=graphs.UNIT_RANGE).SerializeToString()
    path = tmp_path / "cut.onnx"
    for length in np.linspace(0, len(whole) - 1, 40, dtype=int):
        path.write_bytes(whole[:length])
        with one_sentence(ModelError):
            OnnxSegmenter.open(path, threads=1)


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    path = graphs.save(graphs.conv(), tmp_path / "model.onnx")
    assert read_model(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_in_a_file_of_their_own_are_read_and_belong_to_the_digest(tmp_path: Path) -> None:
    proto = graphs.conv(contract=graphs.UNIT_RANGE)
    path = tmp_path / "model.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    before = read_model(path)
    batch = np.random.default_rng(0).uniform(0, 1, (1, 3, 6, 6)).astype(np.float32)
    inside = OnnxSegmenter.open(graphs.save(proto, tmp_path / "in.onnx"), threads=1)
    assert np.array_equal(OnnxSegmenter.open(path, threads=1)(batch), inside(batch))

    weights = tmp_path / "weights.bin"
    changed = bytearray(weights.read_bytes())
    changed[0] ^= 1
    weights.write_bytes(changed)
    assert read_model(path).sha256 != before.sha256

    weights.unlink()
    assert "weights.bin" in refusal(path)


def test_weights_outside_the_models_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "model.onnx"
    onnx.save(
        graphs.conv(), path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    (tmp_path / "in" / "weights.bin").rename(tmp_path / "weights.bin")
    proto = onnx.load(path, load_external_data=False)
    for tensor in proto.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../weights.bin"
    path.write_bytes(proto.SerializeToString())
    assert "outside its own folder" in refusal(path)


def test_a_bundled_model_is_found_by_name_and_a_file_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = graphs.save(graphs.conv(), tmp_path / "bundle" / "meadow" / "model.onnx")
    monkeypatch.setattr(bundled, "bundled_models", lambda: {"meadow": shipped})
    assert find_model("meadow") == shipped
    with pytest.raises(ModelError, match=r"no model forest.*meadow"):
        find_model("forest")
    monkeypatch.chdir(tmp_path)
    graphs.save(graphs.conv(), tmp_path / "meadow")
    assert find_model("meadow") == Path("meadow")


def test_samples_lie_beside_a_model_or_nowhere(tmp_path: Path) -> None:
    path = graphs.save(graphs.conv(), tmp_path / "model.onnx")
    assert samples(path) is None
    for kind in ("images", "labels"):
        (tmp_path / "samples" / kind).mkdir(parents=True)
    assert samples(path) == (tmp_path / "samples/images", tmp_path / "samples/labels")


def test_a_folder_of_the_name_of_a_bundled_model_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "street").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("street").is_file()
