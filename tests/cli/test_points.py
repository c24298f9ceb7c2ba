"""The commands on point clouds: what works, and one sentence for whatever cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest
from graphs import save
from pointgraphs import Dialect, Network, ball, halves, of_category, write_shape

from onnxcert import Gaussian, ResultStore
from onnxcert._typing import Perturbation
from onnxcert.cli import run_command_line
from onnxcert.perturbation import AxisRotation, OnChannels, Rotation
from onnxcert.statistics.guarantee import describe_noise

SETTINGS = ("--sigma", "0.1", "--n", "60", "--threads", "1", "--seed", "1", "--no-pictures")
CATEGORIES = ("chair", "lamp", "rocket")


def make(folder: Path) -> None:
    """Models and shapes, all named by relative paths."""
    save(halves(), folder / "halves.onnx")
    save(halves(channels=6), folder / "normals.onnx")
    save(halves(points=100, contract={}), folder / "hundred.onnx")
    save(of_category(), folder / "category.onnx")
    ask = Dialect(category="BK")
    save(ask.proto(Network(3, 5, 3, seed=2)), folder / "ask.onnx")
    save(Dialect(form="multilabel").proto(Network(3, 5)), folder / "multi.onnx")
    save(Dialect(task="classification", rank=2).proto(Network(3, 5)), folder / "classify.onnx")
    graphs.save(graphs.threshold(), folder / "picture.onnx")
    (folder / "parts.txt").write_text("chair 0 1\nlamp 2 3 4 # with its shade\n\nrocket 1 4\n")
    for i, category in enumerate(CATEGORIES):
        write_shape(folder / "shapes" / f"s{i}.npz", seed=i, category=category)
    with h5py.File(folder / "many.h5", "w") as file:
        file["data"] = np.stack([ball(60, seed=20 + i) for i in range(3)])
        file["pid"] = np.zeros((3, 60), np.int64)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models, the shapes, a run over them, over the shapes of one file, and it packed."""
    folder = tmp_path_factory.mktemp("clouds")
    make(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        command = ["certify", "category.onnx", "shapes", *SETTINGS]
        assert run_command_line([*command, "--out", "out"]) == 0
        assert run_command_line(["pack", "out", "pack.h5"]) == 0
        command = ["certify", "halves.onnx", "many.h5", *SETTINGS]
        assert run_command_line([*command, "--out", "several"]) == 0
    return folder


@pytest.fixture(autouse=True)
def bench(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it all as the working folder."""
    folder = shutil.copytree(made, tmp_path / "bench")
    monkeypatch.chdir(folder)
    return folder


def assert_one_sentence(outcome: Any, *words: str) -> None:
    assert outcome.status == 2, outcome.out + outcome.err
    assert outcome.out == ""
    assert outcome.err.startswith("onnxcert: ")
    sentence, *more = outcome.err.splitlines()
    assert all(line.startswith("  ") for line in more), outcome.err  # options that are open
    assert len(sentence) < 600
    for word in words:
        assert word in sentence, outcome.err


def certify(onnxcert: Any, model: str, *arguments: object) -> Any:
    return onnxcert("certify", model, *arguments, *SETTINGS, "--out", "new")


# -- certify -------------------------------------------------------------------------------------


def test_certify_counts_and_scores_every_shape(onnxcert: Any) -> None:
    found = certify(onnxcert, "halves.onnx", "shapes", "--json")
    assert found.status == 0
    value = found.json
    assert value["inputs"]["finished"] == 3
    assert "largest distance" in value["perturbation"]["unit"]
    assert value["clean"]["accuracy"] > 0.8
    for i in range(3):
        record = ResultStore("new").read(f"s{i}")
        assert record.tally.hits.shape == (60,)
        assert record.tally.kind == "points"
        assert record.provenance.input["category"] == CATEGORIES[i]
        assert record.provenance.contract["medium"] == "points"
        assert np.load(f"new/labels/s{i}.npy").shape == (60,)


def test_a_shape_votes_by_its_category_and_the_digest_carries_it(onnxcert: Any) -> None:
    for category in CATEGORIES:
        command = ("certify", "category.onnx", "shapes/s0.npz", *SETTINGS, "--out", category)
        assert onnxcert(*command, "--category", category).status == 0
    records = [ResultStore(category).read("s0") for category in CATEGORIES]
    assert len({record.tally.draws.digest for record in records}) == 3
    for i, record in enumerate(records):
        labels = set(record.labels[record.labels >= 0])
        assert labels == {i, i + 1}
        assert record.provenance.input["category"] == CATEGORIES[i]
    # What --category says counts before the file; it may be a number, or in capitals.
    again = ("certify", "category.onnx", "shapes/s0.npz", *SETTINGS, "--out", "again")
    assert onnxcert(*again, "--category", "LAMP").status == 0
    assert ResultStore("again").read("s0").tally.draws == records[1].tally.draws


@pytest.mark.parametrize(
    ("model", "flags", "wanted"),
    [
        ("halves.onnx", (), Gaussian(0.1)),
        ("category.onnx", (), OnChannels(Gaussian(0.1), 0, 3, "the coordinates")),
        ("normals.onnx", (), OnChannels(Gaussian(0.1), 0, 3, "the coordinates")),
        (
            "normals.onnx",
            ("--on", "coordinates+normals"),
            OnChannels(Gaussian(0.1), 0, 6, "the coordinates and normals"),
        ),
        ("category.onnx", ("--on", "1:3"), OnChannels(Gaussian(0.1), 1, 3)),
        ("category.onnx", ("--perturbation", "rotation"), Rotation(0.1, 1)),
        ("normals.onnx", ("--perturbation", "rotation"), Rotation(0.1, 2)),
        ("normals.onnx", ("--perturbation", "rotation", "--axis", "y"), AxisRotation(0.1, "y", 2)),
    ],
    ids=str,
)
def test_the_noise_that_is_drawn(
    model: str, flags: tuple[str, ...], wanted: Perturbation, onnxcert: Any
) -> None:
    write_shape(Path("one.npz"), normals=ball(60, seed=1), category="lamp")
    found = certify(onnxcert, model, "one.npz", *flags)
    assert found.status == 0, found.err
    record = ResultStore("new").read("one")
    assert record.tally.draws.perturbation == wanted
    if "coordinates" in describe_noise(wanted):
        assert "of the coordinates" in found.out


def test_a_file_of_categories_the_parts_and_the_passes(onnxcert: Any) -> None:
    feed = ("--feed", "label=category", "--categories", "parts.txt", "--restrict-parts")
    assert certify(onnxcert, "ask.onnx", "shapes", *feed, "--passes", "2").status == 0
    for name, parts in (("s0", {0, 1}), ("s1", {2, 3, 4}), ("s2", {1, 4})):
        record = ResultStore("new").read(name)
        assert set(record.labels[record.labels >= 0]) <= parts
        assert record.provenance.contract["passes"] == 2


def test_columns_frame_and_points(onnxcert: Any) -> None:
    xyz = ball(80, seed=4) * 3 + (5, 0, 0)
    rows = np.column_stack([np.zeros(80), xyz, np.arange(80) % 2])
    np.savetxt("shape.txt", rows)
    columns = ("--columns", "skip,xyz,label")
    for frame in ("own", "unit-sphere"):
        out = ("--out", frame, "--json", "--points", "64", "--frame", frame)
        found = onnxcert("certify", "halves.onnx", "shape.txt", *SETTINGS, *out, *columns)
        assert found.status == 0, found.err
        record = ResultStore(frame).read("shape")
        assert record.tally.hits.shape == (64,)
        # All points lie on one side of the file's own origin, and around the shape's mean.
        share = float((record.clean == 1).mean())
        assert share == 1.0 if frame == "own" else 0.25 < share < 0.75
        assert ("as the file holds them" in found.json["perturbation"]["unit"]) == (frame == "own")


def test_every_shape_of_a_file_is_an_input(onnxcert: Any) -> None:
    found = certify(onnxcert, "halves.onnx", "many.h5", "--json")
    assert found.status == 0
    assert ResultStore("new").names() == ["many-0000", "many-0001", "many-0002"]


def test_labels_in_the_file_are_no_truth_for_yes_and_no(onnxcert: Any) -> None:
    said = ("--output-form", "multilabel", "--threshold", "0.5")
    found = certify(onnxcert, "multi.onnx", "shapes", *said, "--json")
    assert found.status == 0, found.err
    assert found.json["clean"] is None or found.json["clean"].get("accuracy") is None
    assert ResultStore("new").read("s0").tally.hits.shape == (5, 60)


@pytest.mark.slow
def test_a_classifier_has_one_answer_for_a_shape(onnxcert: Any) -> None:
    found = certify(onnxcert, "classify.onnx", "shapes", "--json")
    assert found.status == 0, found.err
    assert ResultStore("new").read("s0").tally.hits.shape == (1,)
    Path("truth.csv").write_text("s0,2\ns1,2\ns2,2\n")
    assert onnxcert(
        *("certify", "classify.onnx", "shapes", *SETTINGS, "--labels", "truth.csv"),
        *("--out", "scored", "--json"),
    ).json["clean"]["accuracy"] in (0.0, 1 / 3, 2 / 3, 1.0)


@pytest.mark.slow
def test_rotations(onnxcert: Any) -> None:
    turned = ("--perturbation", "rotation", "--sigma", "0.2")
    exact = certify(onnxcert, "normals.onnx", "shapes", "--json", *turned)
    assert exact.status == 2  # the shapes have no normals
    for i in range(3):
        write_shape(Path(f"shapes/s{i}.npz"), seed=i, normals=ball(60, seed=i))
    found = onnxcert(
        *("certify", "normals.onnx", "shapes", *SETTINGS, *turned, "--out", "turned", "--json")
    )
    assert found.status == 0, found.err
    assert found.json["perturbation"]["vectors"] == 2
    classical = onnxcert(
        *("certify", "normals.onnx", "shapes", *SETTINGS, *turned, "--out", "published"),
        *("--radius", "classical", "--json"),
    )
    assert classical.json["certified"]["radius"] < found.json["certified"]["radius"]
    about = onnxcert(
        *("certify", "normals.onnx", "shapes", *SETTINGS, *turned, "--out", "about"),
        *("--axis", "z", "--json"),
    )
    assert about.json["certified"]["radius"] == pytest.approx(classical.json["certified"]["radius"])


# -- clouds that cannot be used ------------------------------------------------------------------

XYZ = ball(60, seed=9)
NAN = XYZ.copy()
NAN[5, 1] = np.nan

UNUSABLE: dict[str, tuple[str, dict[str, Any], str]] = {
    "NaN": ("halves.onnx", {"points": NAN}, "point 5"),
    "infinity": ("halves.onnx", {"points": np.where(np.isnan(NAN), np.inf, NAN)}, "point 5"),
    "zero extent": ("halves.onnx", {"points": np.ones((60, 3))}, "different points"),
    "no point": ("halves.onnx", {"points": np.ones((0, 3)), "labels": None}, "point"),
    "few points": ("hundred.onnx", {"points": XYZ}, "--fill"),
    "no normals": ("normals.onnx", {"points": XYZ}, "normals"),
    "no category": ("category.onnx", {"points": XYZ}, "--category"),
    "unknown category": ("category.onnx", {"points": XYZ, "category": "boat"}, "'boat'"),
    "labels missing": ("halves.onnx", {"points": XYZ, "labels": np.zeros(7, np.int64)}, "60"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_cloud_that_cannot_be_used_is_skipped_with_one_sentence(case: str, onnxcert: Any) -> None:
    model, arrays, word = UNUSABLE[case]
    good = {"normals": XYZ, "category": "lamp", "points": ball(200, seed=2), "labels": None}
    good["normals"] = ball(200, seed=2)
    write_shape(Path("mixed/a.npz"), **good)
    write_shape(Path("mixed/b.npz"), **{"labels": None, **arrays})
    write_shape(Path("mixed/c.npz"), **good)
    found = certify(onnxcert, model, "mixed", "--json")
    assert found.status == 3, found.err
    assert ResultStore("new").names() == ["a", "c"]
    lines = [line for line in found.err.splitlines() if line.startswith("onnxcert: ")]
    assert len(lines) == 1
    assert lines[0].startswith("onnxcert: skipped b: ")
    assert word in lines[0]
    assert "Traceback" not in found.err
    assert len(lines[0]) < 400
    assert len(found.json["inputs"]["skipped"]) == 1
    # Alone, nothing is left to certify.
    assert_one_sentence(onnxcert("certify", model, "mixed/b.npz", *SETTINGS, "--out", "b"), word)


def test_points_are_repeated_only_when_asked(onnxcert: Any) -> None:
    found = certify(onnxcert, "hundred.onnx", "shapes", "--fill", "--json")
    assert found.status == 0
    assert any("40 of 100 points" in warning for warning in found.json["warnings"])
    assert ResultStore("new").read("s0").tally.hits.shape == (100,)


def test_duplicates_are_kept_and_told(onnxcert: Any) -> None:
    write_shape(Path("twice.npz"), points=np.repeat(XYZ[:30], 2, axis=0), labels=None)
    found = certify(onnxcert, "halves.onnx", "twice.npz", "--json")
    assert found.status == 0
    assert any("30 of 60 points" in warning for warning in found.json["warnings"])
    record = ResultStore("new").read("twice")
    assert record.tally.hits.shape == (60,)
    # Each copy gets noise of its own.
    assert (record.tally.hits[::2] != record.tally.hits[1::2]).any()


# -- flags that do not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "flags", "word"),
    [
        ("halves.onnx", ("--resize",), "--resize"),
        ("halves.onnx", ("--scale", "2"), "--scale"),
        ("halves.onnx", ("--grid", "model"), "--grid"),
        ("halves.onnx", ("--mean", "0.5"), "mean"),
        ("halves.onnx", ("--range", "0,255"), "value range"),
        ("halves.onnx", ("--palette", "parts.txt"), "--palette"),
        ("halves.onnx", ("--label-map", "parts.txt"), "--label-map"),
        ("halves.onnx", ("--points", "0"), "number of points"),
        ("halves.onnx", ("--passes", "0"), "passes"),
        ("halves.onnx", ("--restrict-parts",), "--categories"),
        ("halves.onnx", ("--frame", "earth"), "frame"),
        ("halves.onnx", ("--channels", "xyz+normals"), "channels"),
        ("halves.onnx", ("--on", "coordinates+normals"), "--on"),
        ("halves.onnx", ("--on", "0:4"), "0:3"),
        ("halves.onnx", ("--on", "2:2"), "start"),
        ("halves.onnx", ("--on", "colours"), "--on"),
        ("halves.onnx", ("--axis", "x"), "--axis"),
        ("halves.onnx", ("--radius", "exact"), "--radius"),
        ("halves.onnx", ("--perturbation", "rotation", "--on", "0:3"), "--on"),
        ("halves.onnx", ("--perturbation", "rotation", "--axis", "q"), "axis"),
        ("halves.onnx", ("--nonrobust", "picture.onnx"), "picture.onnx"),
        ("halves.onnx", ("--nonrobust", "hundred.onnx"), "100"),
        ("halves.onnx", ("--columns", "xyz,what"), "what"),
        ("category.onnx", ("--on", "0:4"), "category"),
        ("category.onnx", ("--categories", "none.txt"), "none.txt"),
        ("ask.onnx", ("--feed", "label=category"), "--categories"),
        ("ask.onnx", (), "--feed label="),
    ],
    ids=str,
)
def test_what_a_model_of_points_cannot_take_is_refused(
    model: str, flags: tuple[str, ...], word: str, onnxcert: Any
) -> None:
    assert_one_sentence(certify(onnxcert, model, "shapes", *flags), word)
    assert not Path("new/inputs").exists() or not list(Path("new/inputs").iterdir())


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--fill",), "--fill"),
        (("--category", "chair"), "--category"),
        (("--columns", "xyz"), "--columns"),
        (("--points", "64"), "points"),
        (("--frame", "own"), "frame"),
        (("--passes", "3"), "passes"),
        (("--categories", "parts.txt"), "categories"),
        (("--restrict-parts",), "restricted"),
        (("--perturbation", "rotation"), "rotation"),
        (("--on", "coordinates"), "--on"),
    ],
    ids=str,
)
def test_what_a_model_of_pictures_cannot_take_is_refused(
    flags: tuple[str, ...], word: str, onnxcert: Any, pictures: Path
) -> None:
    assert_one_sentence(certify(onnxcert, "picture.onnx", pictures, *flags), word)


@pytest.mark.parametrize("text", ["", "chair\n", "chair one\n", "chair 0\nchair 1\n", "chair 9\n"])
def test_a_file_of_categories_that_is_none(text: str, onnxcert: Any) -> None:
    Path("bad.txt").write_text(text)
    said = ("--feed", "label=category", "--categories", "bad.txt")
    assert_one_sentence(certify(onnxcert, "ask.onnx", "shapes", *said))


# -- inspect and plan ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "more"), [("halves.onnx", ()), ("category.onnx", ("--category", "rocket"))]
)
def test_inspect_draws_what_the_model_answers(
    model: str, more: tuple[str, ...], onnxcert: Any
) -> None:
    write_shape(Path("one.npz"))
    found = onnxcert("inspect", model, "one.npz", "--out", "look.png", *more)
    assert found.status == 0, found.err
    assert Path("look.png").read_bytes()[:4] == b"\x89PNG"
    for field in ("layout", "frame", "channels", "trained_rotation"):
        assert f"\n{field} " in found.out


@pytest.mark.slow
def test_inspect_stores_a_contract_that_certify_then_needs_no_flags_for(onnxcert: Any) -> None:
    feed = ("--feed", "label=category", "--categories", "parts.txt", "--restrict-parts")
    found = onnxcert("inspect", "ask.onnx", *feed, "--passes", "2", "--write", "told.onnx")
    assert found.status == 0, found.err
    assert "chair 0 1; lamp 2 3 4; rocket 1 4" in found.out
    assert certify(onnxcert, "told.onnx", "shapes").status == 0
    assert (
        onnxcert(
            *("certify", "ask.onnx", "shapes", *SETTINGS, *feed, "--passes", "2", "--out", "flags")
        ).status
        == 0
    )
    for name in ("s0", "s1", "s2"):
        one, other = (ResultStore(out).read(name) for out in ("new", "flags"))
        assert np.array_equal(one.tally.hits[...], other.tally.hits[...])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("category.onnx", "shapes/none.npz"), "none.npz"),
        (("halves.onnx", "many.h5"), "3"),
        (("halves.onnx", "shapes/s0.npz", "--size", "4x4"), "--size"),
        (("picture.onnx", "shapes/s0.npz", "--category", "chair"), "--category"),
    ],
)
def test_inspect_refuses_in_one_sentence(
    arguments: tuple[str, ...], word: str, onnxcert: Any
) -> None:
    found = onnxcert("inspect", *arguments, "--out", "look.png")
    assert found.status == 2
    assert found.err.count("\n") == 1
    assert word in found.err
    assert not Path("look.png").exists()


def test_inspect_says_that_the_category_is_missing(onnxcert: Any) -> None:
    write_shape(Path("one.npz"))
    found = onnxcert("inspect", "category.onnx", "one.npz", "--out", "look.png")
    assert found.status == 2
    assert "--category" in found.err


@pytest.mark.parametrize(
    ("model", "picture", "components"),
    [
        ("halves.onnx", "500", 500),
        ("hundred.onnx", None, 100),
        ("category.onnx", "70", 70),
        ("category.onnx", "shapes/s1.npz", 60),
        ("category.onnx", "nameless.npz", 60),
        ("normals.onnx", "64", 64),
    ],
)
@pytest.mark.parametrize("noise", [(), ("--perturbation", "rotation")], ids=["", "rotation"])
def test_plan_times_a_model_of_points(
    model: str, picture: str | None, components: int, noise: tuple[str, ...], onnxcert: Any
) -> None:
    write_shape(Path("nameless.npz"))
    on = () if picture is None else ("--picture", picture)
    command = ("plan", "--model", model, *on, "--sigma", "0.5", "--threads", "1", "--json", *noise)
    found = onnxcert(*command)
    assert found.status == 0, found.err
    assert found.json["components"] == components


@pytest.mark.parametrize(
    ("model", "picture"), [("halves.onnx", "3x4"), ("halves.onnx", "0"), ("halves.onnx", None)]
)
def test_plan_needs_points_or_their_number(model: str, picture: str | None, onnxcert: Any) -> None:
    on = () if picture is None else ("--picture", picture)
    assert_one_sentence(onnxcert("plan", "--model", model, "--sigma", "0.1", *on), "--picture")


# -- verify, decide, pack, diff, report ----------------------------------------------------------


@pytest.mark.parametrize("results", ["out", "pack.h5", "several"])
def test_nothing_is_found_where_nothing_was_changed(results: str, onnxcert: Any) -> None:
    found = onnxcert("verify", results)
    assert (found.status, found.err) == (0, "")


def rewrite(path: str, **changed: Any) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, **changed})


def moved_point() -> None:
    with np.load("shapes/s1.npz") as file:
        points = file["points"]
    points[7, 2] += 1e-3
    rewrite("shapes/s1.npz", points=points)


def other_model() -> None:
    save(of_category(("lamp", "chair", "rocket")), Path("category.onnx"))


def label_file() -> None:
    labels = np.load("out/labels/s1.npy")
    labels[3] += 1
    np.save("out/labels/s1.npy", labels)


def damaged() -> None:
    Path("shapes/s1.npz").write_bytes(b"PK not")


def hits() -> None:
    with h5py.File("out/inputs/s1.h5", "r+") as file:
        name = next(k for k in ("hits", "tally/hits") if k in file)
        file[name][3] = 17


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (moved_point, "s1: the input shapes/s1.npz differs from the certified input"),
        (damaged, "s1: the input shapes/s1.npz differs from the certified input"),
        (other_model, "the model category.onnx differs from the certified model"),
        (label_file, "s1: "),
        (hits, "s1: "),
    ],
)
def test_verify_finds_a_change(change: Callable[[], None], word: str, onnxcert: Any) -> None:
    change()
    found = onnxcert("verify", "out")
    assert found.status == 1
    assert word in found.out + found.err
    assert ("s0, s1, s2: " in found.out) == (change is other_model)


def test_verify_finds_inputs_that_were_moved(onnxcert: Any) -> None:
    shutil.move("shapes", "elsewhere")
    Path("elsewhere/s1.npz").rename("elsewhere/other.npz")
    found = onnxcert("verify", "out")
    assert found.status == 0
    assert "--inputs" in found.out + found.err
    assert onnxcert("verify", "out", "--inputs", "elsewhere").status == 0
    assert onnxcert("verify", "pack.h5", "--inputs", "elsewhere").status == 0
    Path("elsewhere/other.npz").unlink()
    found = onnxcert("verify", "out", "--inputs", "elsewhere")
    assert found.status == 1
    assert "s1: none of the given inputs" in found.out


def test_verify_tells_the_shapes_of_one_file_apart(onnxcert: Any) -> None:
    with h5py.File("many.h5", "r+") as file:
        file["data"][1, 5] += 0.01
    found = onnxcert("verify", "several")
    assert found.status == 1
    assert "many-0001: " in found.out
    assert "many-0000: " not in found.out
    Path("many.h5").rename("moved.h5")
    found = onnxcert("verify", "several", "--inputs", "moved.h5")
    assert found.status == 1
    assert "many-0001: none of the given inputs" in found.out
    assert "many-0002: " not in found.out


def test_decide_again_scores_with_the_labels_of_the_file(onnxcert: Any) -> None:
    found = onnxcert("decide", "out", "--tau", "0.6", "--fixed-beforehand", "--json")
    assert found.status == 0, found.err
    first = json.dumps(found.json)
    assert onnxcert("verify", "out").status == 0
    found = onnxcert("decide", "out", "--tau", "0.6", "--fixed-beforehand", "--out", "again")
    assert found.status == 0
    assert onnxcert("verify", "again").status == 0
    one, other = (ResultStore(out).read("s1") for out in ("out", "again"))
    assert np.array_equal(one.tally.hits[...], other.tally.hits[...])
    assert set(one.confusions) == set(other.confusions)
    # Where labels are gone, the certified answer has no score any more.
    rewrite("shapes/s1.npz", labels=np.zeros(60, np.int64))
    changed = onnxcert("decide", "out", "--tau", "0.6", "--fixed-beforehand", "--json")
    assert changed.status == 0
    assert json.dumps(changed.json) != first


def test_report_and_diff(onnxcert: Any) -> None:
    value = onnxcert("report", "out", "--json").json
    assert value["inputs"]["finished"] == 3
    packed = onnxcert("report", "pack.h5", "--json").json
    assert packed["certified"] == value["certified"]
    found = onnxcert("diff", "out", "pack.h5")
    assert found.status == 0
    assert onnxcert("diff", "out", "several").status in (0, 2)


# -- going on ------------------------------------------------------------------------------------


def again(onnxcert: Any, *more: object) -> Any:
    return onnxcert(
        "certify", "category.onnx", "shapes", *SETTINGS, "--json", "--out", "out", *more
    )


def test_the_same_command_again_changes_nothing(onnxcert: Any) -> None:
    before = {path: path.read_bytes() for path in Path("out/inputs").iterdir()}
    assert again(onnxcert).status == 0
    assert {path: path.read_bytes() for path in Path("out/inputs").iterdir()} == before


@pytest.mark.parametrize(
    "change", [moved_point, lambda: rewrite("shapes/s1.npz", category="rocket"),
               lambda: rewrite("shapes/s1.npz", labels=np.zeros(60, np.int64))],
    ids=["points", "category", "labels"],
)  # fmt: skip
def test_a_changed_cloud_is_refused(change: Callable[[], None], onnxcert: Any) -> None:
    change()
    assert_one_sentence(again(onnxcert), "shapes/s1.npz", "--out")


def test_another_category_is_refused_where_the_model_does_not_ask_for_it(onnxcert: Any) -> None:
    assert certify(onnxcert, "halves.onnx", "shapes").status == 0
    assert_one_sentence(certify(onnxcert, "halves.onnx", "shapes", "--category", "lamp"), "lamp")


@pytest.mark.parametrize(
    "more", [("--frame", "own"), ("--points", "50"), ("--category", "lamp"), ("--fill",),
             ("--on", "0:2"), ("--perturbation", "rotation")],
    ids=str,
)  # fmt: skip
def test_other_parameters_are_another_run(more: tuple[str, ...], onnxcert: Any) -> None:
    word = more[0].removeprefix("--") if more[0] in ("--frame", "--points", "--fill") else "--out"
    assert_one_sentence(again(onnxcert, *more), word, "--out")
