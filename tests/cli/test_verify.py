"""`onnxcert verify` finds whatever was changed since, and nothing where nothing was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest
from drawing import write_picture
from finished_run import enter_copy, finished_run
from PIL import Image

from onnxcert import ABSTAIN
from onnxcert.results.fingerprint import fingerprint

CERTIFY = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--seed", "5", "--no-pictures")
EDITED = "p1: the record has changed since it was written"

Edit = Callable[[Any], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, three pictures and their run, all named by relative paths; and the run packed."""
    certify = ("certify", "model.onnx", "pictures", *CERTIFY, "--out", "out")
    pack = ("pack", "out", "pack.h5")
    return finished_run(tmp_path_factory.mktemp("made"), certify, pack, inputs=3)


@pytest.fixture(autouse=True)
def bench(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it all that may be tampered with, as the working folder."""
    return enter_copy(made, tmp_path, monkeypatch)


def edit_record(where: str, name: str, edit: Edit, *, sealed: bool) -> None:
    """Edit a record in the folder or in the pack; `sealed` gives it a fitting digest again."""
    path = f"out/inputs/{name}.h5" if where == "out" else where
    with h5py.File(path, "r+") as file:
        record = file if where == "out" else file["inputs"][name]
        edit(record)
        if sealed:
            record.attrs["sha256"] = fingerprint(record)


# -- edits of one record -------------------------------------------------------------------------


def attribute(group: str, name: str, value: Any) -> Edit:
    def edit(record: Any) -> None:
        assert record[group].attrs[name] != value
        record[group].attrs[name] = value

    return edit


def described(group: str, name: str, key: str, value: Any) -> Edit:
    """Change one entry of a JSON attribute."""

    def edit(record: Any) -> None:
        before = json.loads(record[group].attrs[name])
        assert before[key] != value
        record[group].attrs[name] = json.dumps({**before, key: value})

    return edit


def decided(name: str, value: Any) -> Edit:
    """Change one attribute of the certificate, all of which are JSON."""

    def edit(record: Any) -> None:
        assert json.loads(record["certificate"].attrs[name]) != value
        record["certificate"].attrs[name] = json.dumps(value)

    return edit


def ruled(key: str, value: Any) -> Edit:
    """Change what the certificate says was asked."""
    return described("certificate", "rule", key, value)


def somewhere(array: str, certified: bool, change: Callable[[int], int]) -> Edit:
    """Change one component that is certified, or one that is not."""

    def edit(record: Any) -> None:
        labels = record["certificate/labels"][...]
        place = tuple(np.argwhere((labels != ABSTAIN) == certified)[0])
        record[array][place] = change(int(record[array][place]))

    return edit


# Found by more than the digest: also where somebody has written a new one.
CONTRADICTIONS: dict[str, tuple[Edit, str]] = {
    "votes of a certified component": (
        somewhere("tally/hits", True, lambda _: 30),
        "1 of 192 labels do not follow from the votes",
    ),
    "label": (
        somewhere("certificate/labels", True, lambda v: 1 - v),
        "1 of 192 labels do not follow from the votes",
    ),
    "abstention": (
        somewhere("certificate/labels", False, lambda _: 1),
        "1 of 192 labels do not follow from the votes",
    ),
    "candidate": (
        somewhere("tally/candidate", True, lambda v: 1 - v),
        "1 of 192 labels do not follow from the votes",
    ),
    "alpha": (ruled("alpha", 0.5), "alpha is 0.5 in the certificate, but run.json"),
    "tau": (ruled("tau", 0.6), "tau is 0.6 in the certificate, but run.json"),
    "correction": (
        ruled("correction", "bonferroni"),
        'correction is "bonferroni" in the certificate, but run.json has "holm"',
    ),
    "scope": (
        ruled("alpha_scope", "dataset"),
        'alpha_scope is "dataset" in the certificate',
    ),
    "radius": (decided("radius", [9.0]), "radius is (9.0,), but votes and settings give"),
    "threshold": (decided("thresholds", [40]), "thresholds is (40,), but votes and settings"),
    "abstained": (decided("abstained", [0]), "abstained is (0,), but votes and settings"),
    "level": (
        somewhere("certificate/level", True, lambda v: 1 - v),
        "1 of 192 levels do not follow from the votes",
    ),
    "tau of a level": (
        lambda record: record["certificate/levels"].write_direct(np.array([0.9])),
        "levels do not follow from the rule",
    ),
    "radius of a level": (
        lambda record: record["certificate/radii"].write_direct(np.array([9.0])),
        "radii do not follow from the rule",
    ),
    "curve": (
        lambda record: record["certificate/certified"].write_direct(np.array([192])),
        "the curve does not follow from the votes",
    ),
    "what is controlled": (decided("controls", "FDR"), "controls is FDR, but votes and settings"),
    "statement": (
        decided("statement", "All is well."),
        "statement does not follow from votes and settings",
    ),
    "notes": (decided("notes", ["fine"]), "notes does not follow from votes"),
    "n": (attribute("tally", "n", 61), "n is 61 in the certificate, but run.json has 60"),
    "n0": (attribute("tally", "n0", 9), "n0 is 9 in the certificate, but run.json has 10"),
    "n below the hits": (attribute("tally", "n", 40), "hits must lie between 0 and the 40 draws"),
    "selection": (
        attribute("tally", "selection", "split"),
        'selection is "split" in the certificate, but run.json has "pooled"',
    ),
    "seed": (attribute("tally", "seed", 6), "seed is 6 in the certificate, but run.json has 5"),
    "generator": (attribute("tally", "generator", "dice"), 'generator is "dice"'),
    "sigma": (
        attribute("tally", "perturbation-parameters", '{"sigma": 0.1}'),
        "sigma is 0.1 in the certificate, but run.json has 0.2",
    ),
    "digest of the input": (
        attribute("tally", "digest", "0" * 64),
        "the votes were drawn for another input",
    ),
    "asked parameter": (
        described("provenance", "parameters", "alpha", 0.5),
        "alpha is 0.5 in the provenance, but run.json has 0.001",
    ),
    "asked model": (
        described("provenance", "parameters", "model", "0" * 64),
        "the provenance names two different models",
    ),
    "model": (described("provenance", "model", "sha256", "0" * 64), "names two different models"),
    "name of the input": (
        described("provenance", "input", "name", "p9"),
        "the provenance belongs to the input p9",
    ),
    "alpha that is none": (ruled("alpha", 2.0), "damaged or was not written by onnxcert"),
    "text for a number": (ruled("tau", "high"), "damaged or was not written by onnxcert"),
    "list for a table": (
        attribute("provenance", "input", "[]"),
        "damaged or was not written by onnxcert",
    ),
}

# Nothing contradicts these: only the digest tells.
QUIET: dict[str, Edit] = {
    "votes of an abstaining component": somewhere("tally/hits", False, lambda v: v - 1),
    "candidate of an abstaining component": somewhere("tally/candidate", False, lambda v: 1 - v),
    "noisy labels": somewhere("tally/single", True, lambda v: 1 - v),
    "clean labels": somewhere("predictions/clean", True, lambda v: 1 - v),
    "withheld votes": attribute("tally", "classes", 5),
    "date": attribute("provenance", "date", '"1999-01-01T00:00:00+00:00"'),
    "environment": described("provenance", "environment", "provider", "abacus"),
    "a further attribute": lambda record: record["tally"].attrs.create("checked", True),
}


@pytest.mark.parametrize("where", ["out", "pack.h5"])
def test_all_fits_where_nothing_was_changed(onnxcert: Any, where: str) -> None:
    outcome = onnxcert("verify", where)
    assert (outcome.status, outcome.out, outcome.err) == (0, "3 records, all checks passed\n", "")
    outcome = onnxcert("verify", where, "--model", "model.onnx", "--inputs", "pictures")
    assert (outcome.status, outcome.out, outcome.err) == (0, "3 records, all checks passed\n", "")


@pytest.mark.parametrize("where", ["out", "pack.h5"])
@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_contradiction_is_found_whatever_the_digest(onnxcert: Any, where: str, what: str) -> None:
    edit, said = CONTRADICTIONS[what]
    edit_record(where, "p1", edit, sealed=True)
    outcome = onnxcert("verify", where)
    assert (outcome.status, outcome.err) == (1, "")
    assert said in outcome.out
    assert EDITED not in outcome.out
    # Said of this record alone, one line each.
    assert all(line.startswith("p1: ") for line in outcome.out.splitlines()[:-1])


@pytest.mark.parametrize("where", ["out", "pack.h5"])
@pytest.mark.parametrize("what", [*CONTRADICTIONS, *QUIET])
def test_every_edit_is_told_by_the_digest(onnxcert: Any, where: str, what: str) -> None:
    edit = QUIET[what] if what in QUIET else CONTRADICTIONS[what][0]
    edit_record(where, "p1", edit, sealed=False)
    outcome = onnxcert("verify", where)
    assert outcome.status == 1
    assert EDITED in outcome.out
    if what in QUIET and what != "withheld votes":
        assert outcome.out.splitlines()[1:] == ["3 records, 1 mismatch"]


def test_who_changes_votes_and_digest_in_step_is_not_found(onnxcert: Any) -> None:
    """The limit that help and README name."""
    edit_record("out", "p1", QUIET["votes of an abstaining component"], sealed=True)
    assert onnxcert("verify", "out").status == 0


def test_a_statement_in_other_words_names_the_version_that_wrote_it(onnxcert: Any) -> None:
    def edit(record: Any) -> None:
        record["certificate"].attrs["statement"] = json.dumps("In older words.")
        described("provenance", "environment", "packages", {"onnxcert": "0.0.1"})(record)

    edit_record("out", "p1", edit, sealed=True)
    assert "(made by onnxcert 0.0.1, this is " in onnxcert("verify", "out").out


def test_a_record_without_a_digest_is_named(onnxcert: Any) -> None:
    edit_record("out", "p1", lambda r: r.attrs.__delitem__("sha256"), sealed=False)
    outcome = onnxcert("verify", "out")
    assert outcome.status == 1
    assert "p1: the record has no digest" in outcome.out


def test_records_that_changed_places_are_found(bench: Path, onnxcert: Any) -> None:
    one, other = (bench / "out" / "inputs" / f"{name}.h5" for name in ("p0", "p1"))
    one.rename(bench / "kept.h5")
    other.rename(one)
    (bench / "kept.h5").rename(other)
    outcome = onnxcert("verify", "out")
    assert outcome.status == 1
    assert "p0: p0 in out is the record of p1; keep only records that" in outcome.out
    assert "p1: p1 in out is the record of p0; keep only records that" in outcome.out


# -- bytes ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("where", ["out", "pack.h5"])
@pytest.mark.parametrize("array", ["tally/hits", "tally/candidate", "certificate/labels"])
def test_a_flipped_byte_in_a_chunk_is_damage_or_an_edit(
    onnxcert: Any, where: str, array: str
) -> None:
    path = Path("out/inputs/p1.h5" if where == "out" else where)
    with h5py.File(path, "r") as file:
        chunk = file[array if where == "out" else f"inputs/p1/{array}"].id.get_chunk_info(0)
    for place in range(chunk.byte_offset, chunk.byte_offset + chunk.size, 7):
        content = bytearray(path.read_bytes())
        content[place] ^= 16
        path.write_bytes(content)
        outcome = onnxcert("verify", where)
        assert (outcome.status, outcome.err) == (1, ""), place
        assert "p1: " in outcome.out
        assert "p0: " not in outcome.out
        content[place] ^= 16
        path.write_bytes(content)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_record_cut_short_is_named_and_the_others_are_looked_at(
    onnxcert: Any, share: float
) -> None:
    path = Path("out/inputs/p1.h5")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    outcome = onnxcert("verify", "out")
    assert (outcome.status, outcome.err) == (1, "")
    assert outcome.out.startswith("p1: ")
    assert outcome.out.endswith("3 records, 1 mismatch\n")


def test_a_record_that_is_gone_is_missed(onnxcert: Any) -> None:
    Path("out/inputs/p1.h5").unlink()
    outcome = onnxcert("verify", "out")
    assert outcome.status == 1
    assert "p1: its record is missing, but results.h5 lists it" in outcome.out


def test_a_record_that_is_gone_from_a_pack_is_missed(onnxcert: Any) -> None:
    with h5py.File("pack.h5", "r+") as file:
        del file["inputs/p1"]
    outcome = onnxcert("verify", "pack.h5")
    assert outcome.status == 1
    assert "p1: its record is missing, but the summary table lists it" in outcome.out


@pytest.mark.parametrize("where", ["out/results.h5", "pack.h5"])
def test_an_edited_summary_is_found(onnxcert: Any, where: str) -> None:
    with h5py.File(where, "r+") as file:
        file["summary/radius"][1] = 9.0
    outcome = onnxcert("verify", where.split("/")[0])
    assert outcome.status == 1
    assert "p1: " in outcome.out
    assert "has a different radius for it" in outcome.out


def test_without_the_summary_that_is_said(onnxcert: Any) -> None:
    Path("out/results.h5").unlink()
    outcome = onnxcert("verify", "out")
    assert outcome.status == 0
    assert "not checked: results.h5 does not exist" in outcome.out


# -- run.json ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alpha", 0.01),
        ("model", "0" * 64),
        ("labels", True),
        ("contract", {}),
        ("further", 1),
        ("nonrobust", "0" * 64),
    ],
)
def test_an_edited_parameter_in_run_json_is_found(onnxcert: Any, key: str, value: Any) -> None:
    path = Path("out/run.json")
    run = json.loads(path.read_text())
    run["parameters"][key] = value
    path.write_text(json.dumps(run))
    outcome = onnxcert("verify", "out")
    assert outcome.status == 1
    assert f"p0, p1, p2: {key} is " in outcome.out


def test_an_edited_run_in_a_pack_is_found(onnxcert: Any) -> None:
    with h5py.File("pack.h5", "r+") as file:
        run = json.loads(file.attrs["run"])
        file.attrs["run"] = json.dumps({**run, "seed": 6})
    outcome = onnxcert("verify", "pack.h5")
    assert outcome.status == 1
    assert "p2: seed is 5 in the certificate, but run.json has 6" in outcome.out


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", '{"encoding-type": "onnxcert-run"}'])
def test_run_json_that_is_gone_or_broken_is_named(onnxcert: Any, content: str | None) -> None:
    if content is None:
        Path("out/run.json").unlink()
    else:
        Path("out/run.json").write_text(content)
    outcome = onnxcert("verify", "out")
    assert (outcome.status, outcome.err) == (1, "")
    assert outcome.out.startswith("run.json: ")


# -- label files ---------------------------------------------------------------------------------


def label_png(change: Callable[[Image.Image], Image.Image]) -> Callable[[], None]:
    def edit() -> None:
        path = Path("out/labels/p1.png")
        with Image.open(path) as image:
            image.load()
            changed = change(image)
        changed.save(path)

    return edit


def other_pixel(image: Image.Image) -> Image.Image:
    image.putpixel((0, 0), 1 - image.getpixel((0, 0)))  # type: ignore[operator]
    return image


def other_colours(image: Image.Image) -> Image.Image:
    image.putpalette([1, 2, 3] * 256)
    return image


def other_array() -> None:
    labels = np.load("out/labels/p1.npy")
    labels[0, 0] = 1 - labels[0, 0]
    np.save("out/labels/p1.npy", labels)


LABEL_EDITS: dict[str, tuple[Callable[[], object], str]] = {
    "a pixel": (label_png(other_pixel), "1 of 192 labels in labels/p1.png"),
    "colours": (label_png(other_colours), "labels/p1.png has other class colours"),
    "size": (label_png(lambda i: i.crop((0, 0, 4, 4))), "labels/p1.png holds uint8 of shape"),
    "an entry": (other_array, "1 of 192 labels in labels/p1.npy"),
    "no PNG": (lambda: Path("out/labels/p1.png").unlink(), "labels/p1.png is missing"),
    "no array": (lambda: Path("out/labels/p1.npy").unlink(), "labels/p1.npy is missing"),
    "broken PNG": (lambda: Path("out/labels/p1.png").write_bytes(b"PNG"), "p1.png is damaged"),
    "broken array": (lambda: Path("out/labels/p1.npy").write_bytes(b"NPY"), "p1.npy is damaged"),
}


@pytest.mark.parametrize("what", LABEL_EDITS)
def test_a_changed_label_file_is_found(onnxcert: Any, what: str) -> None:
    edit, said = LABEL_EDITS[what]
    edit()
    outcome = onnxcert("verify", "out")
    assert outcome.status == 1
    assert outcome.out.startswith("p1: ")
    assert said in outcome.out
    assert outcome.out.endswith("3 records, 1 mismatch\n")


def test_a_label_file_that_is_only_packed_otherwise_fits(onnxcert: Any) -> None:
    path = Path("out/labels/p1.png")
    before = path.read_bytes()
    with Image.open(path) as image:
        image.load()
        image.save(path, compress_level=0)
    assert path.read_bytes() != before
    assert onnxcert("verify", "out").status == 0


def test_each_label_of_a_multi_label_model_has_its_file(bench: Path, onnxcert: Any) -> None:
    graphs.save(graphs.multi_label(), bench / "many.onnx")
    certified = onnxcert(
        *("certify", "many.onnx", "pictures", *CERTIFY, "--out", "many"),
        *("--output-form", "multilabel"),
    )
    assert certified.status == 0, certified.err
    assert onnxcert("verify", "many").status == 0
    sheets = sorted(Path("many/labels/p1").iterdir())
    assert len(sheets) == 3
    sheets[1].unlink()
    outcome = onnxcert("verify", "many")
    assert outcome.status == 1
    assert f"p1: labels/p1/{sheets[1].name} is missing" in outcome.out


# -- the model and the inputs --------------------------------------------------------------------


def test_a_swapped_model_is_found(bench: Path, onnxcert: Any) -> None:
    graphs.save(graphs.threshold(0.51), bench / "other.onnx")
    outcome = onnxcert("verify", "out", "--model", "other.onnx")
    assert outcome.status == 1
    assert "p0, p1, p2: the model other.onnx differs from the certified model" in outcome.out
    (bench / "other.onnx").rename("model.onnx")
    for arguments in (("out",), ("pack.h5",), ("out", "--model", "model.onnx")):
        outcome = onnxcert("verify", *arguments)
        assert outcome.status == 1
        assert "p0, p1, p2: the model model.onnx differs from the certified model" in outcome.out
    Path("model.onnx").write_bytes(b"no model")
    assert onnxcert("verify", "out").status == 1


def test_a_changed_input_is_found(bench: Path, onnxcert: Any) -> None:
    write_picture(bench / "pictures" / "p1.png", seed=77)
    outcome = onnxcert("verify", "out")
    assert outcome.status == 1
    assert "p1: the input pictures/p1.png differs from the certified input" in outcome.out
    outcome = onnxcert("verify", "out", "--inputs", "pictures")
    assert outcome.status == 1
    assert "p1: none of the given inputs is the certified input" in outcome.out
    assert "p0: " not in outcome.out
    Path("pictures/p1.png").write_bytes(b"no picture")
    assert onnxcert("verify", "out").status == 1
    outcome = onnxcert("verify", "out", "--inputs", "pictures")
    assert outcome.status == 1
    assert "not checked: " in outcome.out


def test_given_inputs_may_have_other_names(bench: Path, onnxcert: Any) -> None:
    (bench / "elsewhere").mkdir()
    for i in range(3):
        Path(f"pictures/p{i}.png").rename(f"elsewhere/other{9 - i}.png")
    outcome = onnxcert("verify", "out", "--inputs", "elsewhere")
    assert (outcome.status, outcome.out) == (0, "3 records, all checks passed\n")


def test_the_input_of_a_grey_model_is_compared_in_grey(bench: Path, onnxcert: Any) -> None:
    graph = graphs.model(
        "(float[1, 1, 12, 16] image) => (float[1, 2, 12, 16] scores)"
        " { scores = Concat<axis = 1>(image, dark) }",
        {**graphs.UNIT_RANGE, "channel_order": "GRAY"},
        dark=np.full((1, 1, 12, 16), 0.5),
    )
    graphs.save(graph, bench / "grey.onnx")
    certified = onnxcert("certify", "grey.onnx", "pictures", *CERTIFY, "--out", "grey")
    assert certified.status == 0, certified.err
    for arguments in ((), ("--inputs", "pictures")):
        assert onnxcert("verify", "grey", *arguments).status == 0
    write_picture(bench / "pictures" / "p1.png", seed=77)
    assert onnxcert("verify", "grey").status == 1


def test_files_that_are_not_there_are_said_so_and_no_error(
    onnxcert: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for where in ("bench/out", "bench/pack.h5"):
        outcome = onnxcert("verify", where)
        assert outcome.status == 0
        assert (
            "not checked: the model model.onnx does not exist here; give it with --model."
            in outcome.out
        )
        assert "not checked: 3 inputs do not exist at their stored paths" in outcome.out


# -- what a user can get wrong -------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere",),
        ("pictures",),
        ("model.onnx",),
        ("out/results.h5",),
        ("out/inputs/p0.h5",),
        ("out", "--model", "nowhere.onnx"),
        ("out", "--model", "pictures/p0.png"),
        ("out", "--inputs", "nowhere"),
        ("out", "--inputs", "out/inputs"),
        (),
    ],
)
def test_a_wrong_argument_is_one_sentence(onnxcert: Any, arguments: tuple[str, ...]) -> None:
    outcome = onnxcert("verify", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("onnxcert: ")
    assert outcome.err.count("\n") == 1


def test_json_has_every_finding(onnxcert: Any) -> None:
    assert onnxcert("verify", "out", "--json").json == {
        "version": 1,
        "command": "verify",
        "path": "out",
        "fits": True,
        "records": 3,
        "findings": [],
        "unchecked": [],
        "notes": [],
        "troubles": [],
    }
    edit_record("out", "p1", attribute("certificate", "radius", 9.0), sealed=True)
    outcome = onnxcert("verify", "out", "--json")
    assert outcome.status == 1
    assert outcome.json["fits"] is False
    assert {finding["name"] for finding in outcome.json["findings"]} == {"p1"}


def test_help_names_the_exit_status_and_the_limit(onnxcert: Any) -> None:
    text = " ".join(onnxcert("verify", "--help").out.split())
    assert "0 all checks passed; 1 there is a mismatch; 2 there is nothing to verify, or" in text
    assert "not signatures" in text


def test_a_pack_is_reported_like_its_folder(onnxcert: Any) -> None:
    folder, packed = (onnxcert("report", where, "--per-class") for where in ("out", "pack.h5"))
    assert (packed.status, packed.out) == (0, folder.out)


@pytest.mark.parametrize(
    "arguments", [("nowhere", "x.h5"), ("out", "pack.h5"), ("out", "nowhere/x.h5"), ("out",)]
)
def test_packing_wrongly_is_one_sentence(onnxcert: Any, arguments: tuple[str, ...]) -> None:
    outcome = onnxcert("pack", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
