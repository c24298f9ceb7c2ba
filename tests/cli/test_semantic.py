"""The commands with changes of few parameters: what works, and one sentence for what cannot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from drawing import write_picture
from equal_runs import assert_equal_runs
from graphs import save
from pointgraphs import ball, halves, write_shape

from onnxcert import PointCloud, ResultStore, certify
from onnxcert.errors import ParameterError
from onnxcert.perturbation import PLAIN, Blur, Exposure, OnChannels, Shift, WhiteBalance
from onnxcert.perturbation.semantic import CloudChange, ImageChange

IMAGE = [kind for kind in PLAIN.values() if issubclass(kind, ImageChange)]
CLOUD = [kind for kind in PLAIN.values() if issubclass(kind, CloudChange)]
SETTINGS = ("--n", "60", "--seed", "1", "--threads", "1")


@pytest.fixture(autouse=True)
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models and inputs in the working folder, all named by relative paths."""
    monkeypatch.chdir(tmp_path)
    save(graphs.threshold(), tmp_path / "model.onnx")
    save(halves(), tmp_path / "halves.onnx")
    save(halves(channels=6), tmp_path / "normals.onnx")
    (tmp_path / "pictures").mkdir()
    for i in range(2):
        write_picture(tmp_path / "pictures" / f"p{i}.png", seed=i)
        write_shape(tmp_path / "shapes" / f"s{i}.npz", seed=i)
    return tmp_path


def noise(kind: Any) -> tuple[str, ...]:
    return ("--perturbation", kind.name, "--sigma", str(kind.usual))


def refused(outcome: Any, *words: str) -> None:
    assert outcome.status == 2, outcome.out + outcome.err
    assert outcome.err.startswith("onnxcert: ")
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


@pytest.mark.parametrize("kind", IMAGE, ids=lambda kind: kind.name)
def test_images_are_certified_stored_read_verified_and_decided_again(
    onnxcert: Any, kind: Any
) -> None:
    command = ("certify", "model.onnx", "pictures", *SETTINGS, *noise(kind), "--no-pictures")
    done = onnxcert(*command, "--out", "out", "--json")
    assert done.status == 0, done.err
    assert done.json["certified"]["radius"] == kind(kind.usual).radius(0.75)
    assert done.json["perturbation"]["unit"] == kind.unit
    record = ResultStore("out").read("p0")
    assert record.tally.draws.perturbation == kind(kind.usual)
    assert record.tally.law_error == kind(kind.usual).law_error((3, 12, 16))
    assert "not covered" in record.decision.statement
    assert onnxcert("verify", "out").status == 0
    again = onnxcert("decide", "out", "--tau", "0.6", "--json")
    assert again.status == 0, again.err
    assert again.json["decided"]["certified"]["radius"] < done.json["certified"]["radius"]
    table = onnxcert("report", "out")
    assert table.status == 0
    assert f"{kind.unit}" in table.out


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Exposure, WhiteBalance, Blur], ids=lambda kind: kind.name)
def test_draws_do_not_depend_on_batches_workers_or_a_second_start(onnxcert: Any, kind: Any) -> None:
    command = ("certify", "model.onnx", "pictures", *SETTINGS, *noise(kind), "--leak-check", "off")
    assert onnxcert(*command, "--batch-size", "7", "--out", "one").status == 0
    assert onnxcert(*command, "--batch-size", "60", "--workers", "2", "--out", "two").status == 0
    assert_equal_runs(Path("one"), Path("two"))
    part = ("certify", "model.onnx", "pictures/p0.png", *command[3:])
    assert onnxcert(*part, "--batch-size", "3", "--out", "part").status == 0
    wanted, found = (ResultStore(out).read("p0") for out in ("one", "part"))
    np.testing.assert_array_equal(wanted.tally.hits, found.tally.hits)


def test_radius_maps_several_tau_looks_tiles_and_scales(onnxcert: Any) -> None:
    command = ("certify", "model.onnx", "pictures", *SETTINGS, "--no-pictures")
    for i, more in enumerate(
        (
            ("--radius-map",),
            ("--tau", "0.6,0.75,0.9"),
            ("--looks", "40,60", "--correction", "bonferroni"),
            ("--scales", "0.5,1"),
            ("--tile", "8x8"),
        )
    ):
        for kind in (IMAGE[0], IMAGE[-1]):
            out = f"out{i}{kind.name}"
            done = onnxcert(*command, *noise(kind), *more, "--out", out)
            assert done.status == 0, done.err
            assert onnxcert("verify", out).status == 0


def test_figures_and_the_radius_map_have_the_unit_of_the_change(onnxcert: Any) -> None:
    command = ("certify", "model.onnx", "pictures", *SETTINGS, "--radius-map")
    done = onnxcert(*command, *noise(IMAGE[0]), "--out", "out")
    assert done.status == 0, done.err
    assert sorted(path.name for path in Path("out/pictures").iterdir()) == ["p0.png", "p1.png"]


def test_a_plan_knows_the_radius_and_the_law_error(onnxcert: Any) -> None:
    for kind in IMAGE:
        done = onnxcert("plan", "--components", "120x160", *noise(kind))
        assert done.status == 0, done.err
        assert re.search(rf"radius [0-9.e-]+ {re.escape(kind.unit)}", done.out), done.out
    done = onnxcert(
        *("plan", "--model", "model.onnx", "--picture", "pictures/p0.png"),
        *noise(IMAGE[-1]),
    )
    assert done.status == 0, done.err


def test_two_runs_can_be_compared(onnxcert: Any) -> None:
    command = ("certify", "model.onnx", "pictures", *SETTINGS, "--no-pictures")
    for kind in (IMAGE[0], IMAGE[1]):
        assert onnxcert(*command, *noise(kind), "--out", kind.name).status == 0
    done = onnxcert("diff", IMAGE[0].name, IMAGE[1].name)
    assert done.status in (0, 1), done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("kind", CLOUD, ids=lambda kind: kind.name)
def test_clouds_are_certified_in_a_frame_that_keeps_the_change(onnxcert: Any, kind: Any) -> None:
    command = ("certify", "halves.onnx", "shapes", *SETTINGS, *noise(kind), "--no-pictures")
    refused(onnxcert(*command), "frame unit-sphere", f"removes every {kind.name}", "own")
    done = onnxcert(*command, "--frame", "own", "--out", "out")
    assert done.status == 0, done.err
    assert onnxcert("verify", "out").status == 0
    assert "stored after the change" in ResultStore("out").read("s0").decision.statement


@pytest.mark.parametrize("kind", CLOUD, ids=lambda kind: kind.name)
def test_the_frame_is_checked_for_a_perturbation_given_in_python_too(kind: Any) -> None:
    cloud = PointCloud(ball(60, seed=3))
    for noise in (kind(0.1), OnChannels(kind(0.1), 0, 3)):
        with pytest.raises(ParameterError, match="frame unit-sphere removes every"):
            certify("halves.onnx", cloud, noise, n=60, seed=1)
        certify("halves.onnx", cloud, noise, n=60, seed=1, frame="own")


def test_of_a_cloud_with_normals_the_coordinates_alone_are_moved(onnxcert: Any) -> None:
    rng = np.random.default_rng(0)
    for i in range(2):
        write_shape(Path(f"shapes/s{i}.npz"), seed=i, normals=rng.standard_normal((60, 3)))
    command = ("certify", "normals.onnx", "shapes", *SETTINGS, *noise(Shift), "--no-pictures")
    done = onnxcert(*command, "--frame", "own", "--out", "out")
    assert done.status == 0, done.err
    wanted = OnChannels(Shift(Shift.usual), 0, 3, "the coordinates")
    assert ResultStore("out").read("s0").tally.draws.perturbation == wanted


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("model.onnx", "pictures", "--perturbation", "exposure"), ("--sigma 0.5 (stops)",)),
        (("model.onnx", "pictures", "--perturbation", "blur"), ("--sigma 1 (pixels^2)",)),
        (
            ("halves.onnx", "shapes", "--perturbation", "gamma", "--sigma", "1"),
            ("gamma is for images, but the model takes point clouds",),
        ),
        (
            ("model.onnx", "pictures", "--perturbation", "shift", "--sigma", "1"),
            ("shift is for point clouds, but the model takes images",),
        ),
        (("model.onnx", "pictures", "--perturbation", "gain", "--sigma", "3"), ("to 2, got 3",)),
        (
            ("model.onnx", "pictures", "--perturbation", "gain", "--sigma", "1", "--on", "0:1"),
            ("--on cannot be combined with --perturbation gain",),
        ),
        (("model.onnx", "pictures", "--perturbation", "glare", "--sigma", "1"), ("glare",)),
    ],
)
def test_what_cannot_be_certified_is_refused_in_a_sentence(
    onnxcert: Any, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(onnxcert("certify", *arguments, *SETTINGS), *words)
