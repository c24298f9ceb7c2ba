"""Each command and its function give the same results, on the bundled model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxcert as oc
from onnxcert.model.bundled import find_model
from onnxcert.results import Record

Command = Callable[..., Any]
SAMPLES = find_model("street").parent / "samples"
WORDS: dict[str, Any] = {"n": 60, "sigma": 0.25, "tau": (0.75, 0.6), "seed": 7}
FLAGS = ("--n", 60, "--sigma", 0.25, "--tau", "0.75,0.6", "--seed", 7, "--threads", 1)


@dataclass(frozen=True)
class Files:
    """Two small scenes with labels, and where their results go."""

    images: Path
    labels: Path
    results: Path


def crop(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        image.crop((96, 96, 160, 144)).save(target)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(*(tmp_path / name for name in ("images", "labels", "results")))
    for folder, kind in ((found.images, "images"), (found.labels, "labels")):
        folder.mkdir()
        for source in sorted((SAMPLES / kind).iterdir())[:2]:
            crop(source, folder / source.name)
    return found


@pytest.fixture(scope="module")
def model() -> oc.OnnxSegmenter:
    return oc.load("street", threads=1)


def assert_same(one: Record, other: Record) -> None:
    """Two records agree in votes, certificate and settings; the date may differ."""
    for name in ("candidate", "hits", "single"):
        np.testing.assert_array_equal(getattr(one.tally, name), getattr(other.tally, name))
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.level, other.level)
    assert one.decision == other.decision
    assert one.provenance.parameters == other.provenance.parameters
    assert one.provenance.input == other.provenance.input


def certify_by_command(onnxcert: Command, files: Files, out: Path, *more: object) -> Any:
    done = onnxcert(
        "certify", "street", files.images, "--labels", files.labels, *FLAGS, "--out", out, *more
    )
    assert done.status == 0, done.err
    return done


def test_certify(files: Files, model: oc.OnnxSegmenter, onnxcert: Command) -> None:
    """The same seed gives the same certificate by command, for a folder, and one by one."""
    done = certify_by_command(onnxcert, files, files.results / "command")
    run = oc.certify_many(
        model, files.images, labels=files.labels, out=files.results / "function", **WORDS
    )
    stored = oc.ResultStore(files.results / "command")
    assert len(run) == len(stored) == 2
    for one, other in zip(run, stored, strict=True):
        assert_same(one, other)
    assert done.out.startswith(str(run.summary()))
    paths = sorted(files.images.iterdir())
    certificates = oc.certify(model, paths, **WORDS)
    for path, certificate, record in zip(paths, certificates, stored, strict=True):
        np.testing.assert_array_equal(certificate.tally.hits, record.tally.hits)
        np.testing.assert_array_equal(certificate.labels, record.labels)
        np.testing.assert_array_equal(certificate.clean, record.clean)
        assert certificate.statement() == record.decision.statement
        frame = run.to_frame().loc[path.stem]
        truth = np.asarray(Image.open(files.labels / path.name))
        assert frame["accuracy"] == certificate.accuracy(truth)
        assert frame["certified"] == 1 - certificate.abstain_share


def test_a_file_its_pixels_and_a_pil_image_are_one_input(
    files: Files, model: oc.OnnxSegmenter
) -> None:
    path = min(files.images.iterdir())
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
        forms = [path, str(path), image, pixels, pixels.transpose(2, 0, 1)]
        forms.append(np.divide(pixels, np.float32(255), dtype=np.float32))
        digests = {c.tally.draws.digest for c in oc.certify(model, forms, n=60, seed=1)}
    assert len(digests) == 1


def test_a_run_resumes(files: Files, model: oc.OnnxSegmenter) -> None:
    words = {**WORDS, "out": files.results, "pictures": False}
    (first,) = oc.certify_many(model, files.images, limit=1, **words)
    written = files.results / "inputs" / f"{first.name}.h5"
    before = written.stat().st_mtime_ns
    run = oc.certify_many(model, files.images, **words)
    assert len(run) == 2
    assert written.stat().st_mtime_ns == before
    assert_same(run[first.name], first)
    with pytest.raises(oc.OnnxcertError, match="holds a run with"):
        oc.certify_many(model, files.images, **{**words, "sigma": 0.5})


def test_progress_is_shown_on_standard_error(
    files: Files, model: oc.OnnxSegmenter, capsys: pytest.CaptureFixture[str]
) -> None:
    path = min(files.images.iterdir())
    oc.certify(model, path, n=60, progress=True)
    assert "60 of 60 draws" in capsys.readouterr().err
    oc.certify_many(model, path, n=60, out=files.results, progress=True)
    shown = capsys.readouterr()
    assert "60 of 60 draws" in shown.err
    assert shown.out == ""


@pytest.fixture
def stored(files: Files, model: oc.OnnxSegmenter) -> Path:
    """The folder of a run."""
    words = {**WORDS, "pictures": False}
    oc.certify_many(model, files.images, labels=files.labels, out=files.results, **words)
    return files.results


def test_report(stored: Path, onnxcert: Command) -> None:
    assert onnxcert("report", stored).out == f"{oc.report(stored)}\n"
    shown = oc.report(oc.ResultStore(stored)).table(per_class=True)
    assert onnxcert("report", stored, "--per-class").out == f"{shown}\n"


def test_verify(stored: Path, onnxcert: Command) -> None:
    assert oc.verify(stored, independent=True).fits
    (stored / "labels" / f"{oc.ResultStore(stored).names()[0]}.npy").write_bytes(b"")
    found = oc.verify(stored)
    done = onnxcert("verify", stored)
    assert done.status == 1
    assert not found.fits
    assert all(finding.text in done.out for finding in found.findings)


def test_decide(stored: Path, tmp_path: Path, onnxcert: Command) -> None:
    by_function = oc.redecide(stored, correction="bonferroni", alpha=0.01, out=tmp_path / "a")
    flags = ("--correction", "bonferroni", "--alpha", 0.01, "--out", tmp_path / "b")
    by_command = onnxcert("decide", stored, *flags)
    assert by_command.status == 0
    assert by_function.warning in by_command.err
    assert by_function.rule.hindsight == ("alpha", "the correction")
    assert "NOT A CERTIFICATE" in repr(by_function)
    for one, other in zip(
        oc.ResultStore(tmp_path / "a"), oc.ResultStore(tmp_path / "b"), strict=True
    ):
        assert_same(one, other)


def test_diff(stored: Path, tmp_path: Path, onnxcert: Command) -> None:
    oc.redecide(stored, tau=(0.6, 0.75), out=tmp_path / "other")
    found = oc.diff(stored, tmp_path / "other")
    assert "tau" in found.parameters
    assert onnxcert("diff", stored, tmp_path / "other").out == f"{found}\n"


def test_pack(stored: Path, tmp_path: Path, onnxcert: Command) -> None:
    assert oc.pack(stored, tmp_path / "a.h5") == 2
    assert onnxcert("pack", stored, tmp_path / "b.h5").status == 0
    one, other = (oc.report(tmp_path / name).summary.statement for name in ("a.h5", "b.h5"))
    assert one == other
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_merge(files: Files, model: oc.OnnxSegmenter, tmp_path: Path, onnxcert: Command) -> None:
    shards = [files.results / str(i) for i in (1, 2)]
    for i, shard in enumerate(shards, 1):
        words = {**WORDS, "pictures": False, "shard": f"{i}/2"}
        oc.certify_many(model, files.images, out=shard, **words)
    first = oc.merge(tmp_path / "a", shards[:1])
    assert len(first.missing) == 1
    assert first.report is not None
    found = oc.merge(tmp_path / "a", shards)
    assert (found.missing, len(found.store)) == ((), 2)
    assert onnxcert("merge", tmp_path / "b", *shards).out.startswith(str(found.report))
    for one, other in zip(found.store, oc.ResultStore(tmp_path / "b"), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ({"components": (1024, 2048)}, ["--components", "1024x2048"]),
        (
            {"components": 43200, "budget": "0.1%", "sigma": 0.25, "n": [100, 200]},
            ["--components", 43200, "--budget", "0.1%", "--sigma", 0.25, "--n", "100,200"],
        ),
        (
            {"components": 500, "looks": "auto", "n": 300},
            ["--components", 500, "--looks", "auto", "--n", 300],
        ),
    ],
    ids=["shape", "budget", "looks"],
)
def test_plan(words: dict[str, Any], flags: list[object], onnxcert: Command) -> None:
    planned = oc.plan(**words)
    assert onnxcert("plan", *flags).out == f"{planned}\n"
    assert planned.smallest_n is not None


def test_plan_with_a_model_and_a_pilot(
    stored: Path, model: oc.OnnxSegmenter, onnxcert: Command
) -> None:
    measured = oc.plan(model=model, picture=(48, 64), n=60)
    assert measured.speed is not None
    assert measured.plan.request.components == 48 * 64
    predicted = oc.plan(pilot=stored, n=100)
    assert onnxcert("plan", "--pilot", stored, "--n", 100).out == f"{predicted}\n"


def test_inspect(tmp_path: Path, onnxcert: Command) -> None:
    image = min((SAMPLES / "images").iterdir())
    found = oc.inspect(
        "street", image, out=tmp_path / "a.png", threads=1, class_names=list("abcdefgh")
    )
    assert found.tried
    assert found.contract.class_names == tuple("abcdefgh")
    shown = onnxcert("inspect", "street", image, "--out", tmp_path / "b.png", "--threads", 1)
    assert shown.status == 0
    assert found.file.sha256 in shown.out
    same = oc.inspect("street", image, out=tmp_path / "a.png", threads=1)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    for field in ("channel_order", "output_form", "value_range"):
        assert f"({same.contract.sources[field]})" in shown.out
        assert field in repr(same)


@pytest.mark.slow
def test_study(tmp_path: Path, onnxcert: Command) -> None:
    written = oc.study(tmp_path / "a", resolution=0.01, seed=3)
    done = onnxcert("study", "--out", tmp_path / "b", "--resolution", 0.01, "--seed", 3)
    assert done.status == 0
    assert [path.name for path in written.files] == [
        Path(line).name for line in done.out.splitlines()
    ]
    for path in written.files:
        other = tmp_path / "b" / path.name
        if path.suffix == ".csv":
            assert path.read_bytes() == other.read_bytes()
        if path.suffix == ".json":
            assert json.loads(path.read_text()) == json.loads(other.read_text())


def test_a_result_store_is_a_sequence_of_records(stored: Path) -> None:
    store = oc.ResultStore(stored)
    names = store.names()
    assert [record.name for record in store] == names
    assert store[0].name == store[names[0]].name == names[0]
    assert store[-1].name == names[-1]
    assert names[0] in store
    with pytest.raises(IndexError):
        _ = store[2]
    with pytest.raises(oc.OnnxcertError, match=r"did you mean scene-0\d\?"):
        _ = store[names[0][:-1] + "x"]
    frame = store.to_frame()
    assert list(frame.index) == names
    assert (frame["n"] == 60).all()
    assert (frame["accuracy"] <= frame["clean_accuracy"]).all()


def test_an_empty_store_is_a_store(tmp_path: Path) -> None:
    store = oc.ResultStore(tmp_path / "none")
    assert (len(store), list(store), bool(store)) == (0, [], True)
    assert list(store.to_frame().index) == []
