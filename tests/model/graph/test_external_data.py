"""Weights in files of their own: where they may be, and that large ones are left there."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from refusals import one_sentence
from waiting import LIMIT

from onnxcert import OnnxSegmenter
from onnxcert.errors import ModelError
from onnxcert.model.graph import external_data
from onnxcert.model.graph.external_data import external_tensors
from onnxcert.model.graph.file import read_model, write_contract

WEIGHTS = "model.onnx_data"
BATCH = np.random.default_rng(0).uniform(0, 1, (2, 3, 6, 6)).astype(np.float32)


def saved(proto: onnx.ModelProto, path: Path) -> Path:
    """A model whose weights, down to the smallest, are in a file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / WEIGHTS).unlink(missing_ok=True)  # it would be written behind what is there
    onnx.save(proto, path, save_as_external_data=True, location=WEIGHTS, size_threshold=0)
    return path


def renamed(path: Path, **entries: str) -> None:
    """Say something else about where the weights are."""
    proto = onnx.load(path, load_external_data=False)
    for tensor in external_tensors(proto):
        said = {**{e.key: e.value for e in tensor.external_data}, **entries}
        del tensor.external_data[:]
        for key, value in said.items():
            tensor.external_data.add(key=key, value=value)
    path.write_bytes(proto.SerializeToString())


def snapshot(proto: onnx.ModelProto, folder: Path, below: str = "") -> Path:
    """A model as the cache of Hugging Face keeps it: blobs, and links to them in a snapshot."""
    blobs, place = folder / "blobs", folder / "snapshots" / "0a1b" / below
    path = saved(proto, folder / "made" / "model.onnx")
    blobs.mkdir()
    place.mkdir(parents=True)
    for name in (path.name, WEIGHTS):
        shutil.move(path.parent / name, blobs / f"hash of {name}")
        target = os.path.relpath(blobs / f"hash of {name}", place)
        (place / name).symlink_to(target)
    return place / path.name


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only biases are small enough to be read."""
    monkeypatch.setattr(external_data, "HELD", 16)


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("opset", [11, 17])
def test_large_weights_stay_in_their_file_and_the_answers_are_the_same(
    opset: int, tmp_path: Path
) -> None:
    proto = graphs.conv(contract=graphs.UNIT_RANGE)
    proto.opset_import[0].version = opset
    inside = OnnxSegmenter.open(graphs.save(proto, tmp_path / "in.onnx"), threads=1)
    path = saved(proto, tmp_path / "out" / "model.onnx")
    file = read_model(path)
    assert [tensor.name for tensor in external_tensors(file.proto)] == ["w"]
    found = OnnxSegmenter.of(file, {}, threads=1)
    elsewhere = pickle.loads(pickle.dumps(found.reopen))(threads=1)  # as a worker opens it
    assert np.array_equal(found(BATCH), inside(BATCH))
    assert np.array_equal(elsewhere(BATCH), inside(BATCH))
    (path.parent / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=f"{WEIGHTS} are not on this machine, .*copy them"):
        found.reopen(threads=1)


def test_the_digest_does_not_depend_on_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(graphs.conv(), tmp_path / "model.onnx")
    before = read_model(path).sha256
    content = path.read_bytes() + (tmp_path / WEIGHTS).read_bytes()
    assert before == hashlib.sha256(content).hexdigest()  # as records name it
    monkeypatch.setattr(external_data, "HELD", 0)
    assert read_model(path).sha256 == before


@pytest.mark.usefixtures("outside")
def test_graphs_of_other_large_weights_differ(tmp_path: Path) -> None:
    """What is kept for a graph, as engines of TensorRT are, is never another network's."""
    path = saved(graphs.conv(seed=0), tmp_path / "model.onnx")
    first = read_model(path).proto.SerializeToString()
    saved(graphs.conv(seed=1), path)
    assert read_model(path).proto.SerializeToString() != first


@pytest.mark.usefixtures("outside")
def test_a_copy_with_a_contract_names_the_weights_beside_it(tmp_path: Path) -> None:
    path = saved(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    model = OnnxSegmenter.open(path, threads=1)
    for taken in (path, tmp_path / WEIGHTS):
        with pytest.raises(ModelError, match="the model itself or its weights"):
            write_contract(model.file, model.contract, taken)
    with pytest.raises(ModelError, match="in the same folder; write it to"):
        write_contract(model.file, model.contract, tmp_path.parent / "copy.onnx")
    write_contract(model.file, model.contract, tmp_path / "copy.onnx")
    copy = OnnxSegmenter.open(tmp_path / "copy.onnx", threads=1)
    assert np.array_equal(copy(BATCH), model(BATCH))


@pytest.mark.parametrize("below", ["", "onnx"])
@pytest.mark.parametrize("held", [0, 2**20])
def test_a_snapshot_of_links_to_blobs_is_read(
    below: str, held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_data, "HELD", held)
    proto = graphs.conv(contract=graphs.UNIT_RANGE)
    inside = OnnxSegmenter.open(graphs.save(proto, tmp_path / "in.onnx"), threads=1)
    path = snapshot(proto, tmp_path / "models--a--b", below)
    assert np.array_equal(OnnxSegmenter.open(path, threads=1)(BATCH), inside(BATCH))
    monkeypatch.chdir(path.parent)
    assert np.array_equal(OnnxSegmenter.open(path.name, threads=1)(BATCH), inside(BATCH))


def _out_of_the_blobs(path: Path) -> None:
    secret = path.parents[3] / "secret"
    secret.write_bytes(bytes(4096))
    (path.parent / WEIGHTS).unlink()
    (path.parent / WEIGHTS).symlink_to(secret)


def _pipe(path: Path) -> None:
    (path.parent / WEIGHTS).unlink()
    os.mkfifo(path.parent / WEIGHTS)


def _loop(path: Path) -> None:
    (path.parent / WEIGHTS).unlink()
    (path.parent / WEIGHTS).symlink_to(WEIGHTS)


def _missing(path: Path) -> None:
    (path.parent / WEIGHTS).unlink()


def _no_text(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(WEIGHTS.encode(), b"\xff" + WEIGHTS[1:].encode()))


@pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX")
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_missing, WEIGHTS),
        (_out_of_the_blobs, "outside its own folder"),
        ("location=../../blobs/hash of model.onnx_data", "outside its own folder"),
        ("location=/etc/passwd", "outside its own folder"),
        ("location=sub/../../secret", "outside its own folder"),
        (f"location={'../' * 30}etc/passwd", "outside its own folder"),
        *((f"location={name}", ".") for name in ("", ".", "x" * 5000, f"{WEIGHTS}/", "a\0b")),
        # How ONNX Runtime names its own memory.
        ("location=*/_ORT_MEM_ADDR_/*", "cannot be read"),
        (_pipe, "a pipe or device, not a file"),
        (_loop, "cannot be read|outside"),
        ("offset=1000000", "beyond the end"),
        ("offset=-8", "."),
        (f"length={2**60}", "."),
        ("length=-7", "a number of bytes"),
        ("length=x", "."),
        (_no_text, "not UTF-8 text"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)[:40].replace("\0", "NUL")),
)
@pytest.mark.parametrize("held", [0, 2**20])
def test_weights_that_are_not_the_models_are_refused(
    damage: Callable[[Path], Any] | str,
    words: str,
    held: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(external_data, "HELD", held)
    path = snapshot(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "models--a--b")
    if isinstance(damage, str):
        key, value = damage.split("=")
        renamed(path, **{key: value})
    else:
        damage(path)
    with one_sentence(ModelError, match=words):
        OnnxSegmenter.open(path, threads=1)


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_model_that_is_no_regular_file_or_too_large_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match="not a regular file"):
        read_model(tmp_path / "pipe.onnx")
    with (tmp_path / "sparse.onnx").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ModelError, match=r"has 1024\.0 GiB .* as external data"):
        read_model(tmp_path / "sparse.onnx")


MOST = """
import resource, sys
import numpy as np
from onnxcert import OnnxSegmenter
from onnxcert.model.graph import external_data
external_data.HELD = 2**20
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
OnnxSegmenter.open(sys.argv[1], threads=1)(np.zeros((1, 3, 6, 6), np.float32))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kilobytes are those of Linux")
def test_large_weights_are_not_copied_into_memory(tmp_path: Path) -> None:
    """Neither where they are a row, nor where the graph computes something of them alone."""
    size = 2**28  # bytes of a file with nothing in it
    weights = onnx.TensorProto(
        name="large", data_type=onnx.TensorProto.FLOAT, dims=[size // 4], data_location=1
    )
    for key, value in (("location", WEIGHTS), ("offset", "0"), ("length", f"{size}")):
        weights.external_data.add(key=key, value=value)
    proto = graphs.conv(
        contract=graphs.UNIT_RANGE,
        tail="part = Slice(large, start, end) scores = Add(raw, part)",
        start=[0],
        end=[1],
    )
    proto.graph.initializer.append(weights)
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    with (tmp_path / WEIGHTS).open("wb") as file:
        file.truncate(size)
    command = [sys.executable, "-c", MOST, str(tmp_path / "model.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT)
    assert int(done.stdout) * 1024 < size
