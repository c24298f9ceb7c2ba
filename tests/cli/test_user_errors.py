"""Whatever a user gets wrong is one sentence on standard error, exit status 2, no traceback."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest
from PIL import Image

from onnxcert import ResultStore

GOOD = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--no-pictures", "--json")


class Bench:
    """A folder with everything a good command needs, to be spoilt."""

    def __init__(self, folder: Path, pictures: Path) -> None:
        self.folder = folder
        self.pictures = pictures
        self.model = graphs.save(graphs.threshold(), folder / "model.onnx")
        self.out = folder / "out"

    def command(self, *extra: object, **replaced: object) -> list[object]:
        """`onnxcert certify` that would work, but for what is spoilt."""
        model, inputs = replaced.get("model", self.model), replaced.get("inputs", self.pictures)
        return ["certify", model, inputs, *GOOD, "--out", self.out, *extra]

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def array(self, name: str, array: Any) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)
        return path

    def labels(self, shape: tuple[int, int] = (12, 16), value: int = 0) -> Path:
        for i in range(3):
            self.array(f"labels/p{i}.npy", np.full(shape, value, np.uint8))
        return self.folder / "labels"


@pytest.fixture
def bench(tmp_path: Path, pictures: Path) -> Bench:
    return Bench(tmp_path, pictures)


def assert_one_sentence(outcome: Any, *words: str) -> None:
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith("onnxcert: ")
    assert outcome.err.endswith("\n")
    sentence, *more = outcome.err.splitlines()
    # Below what is open stand its options and the command line to type.
    assert all(line.startswith("  ") for line in more), outcome.err
    assert not more or more[-1].startswith("  onnxcert certify "), outcome.err
    assert "Traceback" not in outcome.err
    assert len(sentence) < 600
    for word in words:
        assert word in outcome.err, outcome.err


# -- every flag with a number --------------------------------------------------------------------

NUMBERS: list[tuple[str, str, str]] = [
    *(("--n", value, "n") for value in ("0", "-1", "abc", "1.5", "")),
    *(("--n0", value, "n0") for value in ("0", "-1", "x", "61")),
    *(("--tau", value, "tau") for value in ("0.4", "0", "1", "1.5", "-0.75", "nan", "inf", "high")),
    *(("--alpha", value, "alpha") for value in ("0", "1", "-0.1", "2", "nan", "inf", "5%")),
    *(("--tau", value, "tau") for value in ("0.75,0.75", "0.6,", "0.75,0.4", "0.6;0.7")),
    *(("--budget", value, "budget") for value in ("-1", "1.5", "100%", "%", "few", "", "999999")),
    *(("--floor", value, "floor") for value in ("0.4", "1", "nan", "low")),
    *(("--looks", value, "looks") for value in ("", "often", "10,x", "100", "0,60", "5,60", "-1")),
    *(("--until", value, "until") for value in ("0", "1.1", "-1", "nan", "x")),
    *(("--futility", value, "futility") for value in ("0", "1.1", "-1", "nan", "x")),
    *(("--time", value, "time") for value in ("0", "-1s", "1x", "soon", "")),
    *(("--sigma", value, "sigma") for value in ("0", "-1", "nan", "inf", "big")),
    *(("--scale", value, "scale") for value in ("0", "-1", "nan", "inf", "100", "half")),
    *(("--batch-size", value, "batch-size") for value in ("0", "-1", "2.5", "all")),
    *(("--threads", value, "threads") for value in ("-1", "1.5", "many")),
    *(("--seed", value, "seed") for value in ("-1", str(2**63), str(2**64), "1.5", "lucky")),
    *(("--limit", value, "--limit") for value in ("0", "-1", "1.5", "x")),
    *(("--every", value, "--every") for value in ("0", "-1", "x")),
    *(("--checkpoint", value, "--checkpoint") for value in ("0", "-1", "nan", "often")),
    *(("--ignore-label", value, "ignore-label") for value in ("x", "1.5")),
    *(("--mean", value, "mean") for value in ("0.4,0.4", "", "a,b,c", "0.4;0.4;0.4", "nan", "inf")),
    *(("--std", value, "std") for value in ("0", "0.3,0,0.3", "-1", "0.3,0.3", "nan", "x")),
    *(("--range", value, "range") for value in ("1,0", "1", "0,0", "0,1,2", "text", "0,nan", "")),
    *(
        ("--size", value, "size")
        for value in ("0x4", "4", "4x", "-1x4", "4x4x4", "1.5x2", "9x99999")
    ),
    *(("--pad-to", value, "--pad-to") for value in ("-1", "2.5", "5000", "two")),
    *(("--threshold", value, "threshold") for value in ("high", "", "0.5,0.5")),
    *(("--passes", value, "passes") for value in ("0", "-1", "1.5", "x", "3")),
    *(("--classes", value, "classes") for value in ("0", "-1", "1", "1.5", "x", "7")),
    *(("--points", value, "points") for value in ("1.5", "x")),
    *(("--workers", value, "--workers") for value in ("-1", "1.5", "x")),
]


@pytest.mark.parametrize(("flag", "value", "word"), NUMBERS, ids=lambda v: v or "empty")
def test_a_wrong_number(bench: Bench, onnxcert: Any, flag: str, value: str, word: str) -> None:
    assert_one_sentence(onnxcert(*bench.command(flag, value)), word)


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--threshold", "nan"), ("--threshold", "inf"), ("--pad-to", "0")],
)
def test_a_wrong_number_that_is_easily_overlooked(
    bench: Bench, onnxcert: Any, flag: str, value: str
) -> None:
    assert_one_sentence(onnxcert(*bench.command(flag, value)), flag[2:])


def test_every_flag_that_takes_a_number_is_tried(onnxcert: Any) -> None:
    text = onnxcert("certify", "--help").out
    kinds = r"N|NUMBER|INDEX|SECONDS|LOW,HIGH|R,G,B|HxW|K|SHARE|TIME"
    kinds += r"|TAU\[,TAU\.\.\.\]|B\|PERCENT%|auto\|N,N,\.\.\."
    numeric = set(re.findall(rf"(--[\w-]+) (?:{kinds})\s", text))
    assert len(numeric) > 10
    assert numeric == {flag for flag, _, _ in NUMBERS}


@pytest.mark.parametrize(
    ("flag", "value", "choices"),
    [
        ("--correction", "bonferoni", "bonferroni, holm, kfwer"),
        ("--correction", "", "bonferroni, holm, kfwer"),
        ("--procedure", "cohen", "segcertify, indivclass"),
        ("--selection", "both", "pooled or split"),
        ("--alpha-scope", "pixel", "input or dataset"),
        ("--perturbation", "laplace", "gaussian"),
        ("--dataset", "atlantis", "folder, camvid"),
        ("--layout", "NWHC", "NCHW or NHWC"),
        ("--layout", "", "NCHW or NHWC"),
        ("--channel-order", "GBR", "RGB or BGR or RGBA or BGRA or GRAY"),
        ("--normalise", "never", "after or before"),
        ("--output-layout", "NWHC", "NCHW or NHWC"),
        ("--output-form", "argmax", "logits or probabilities or sigmoid or logit or multilabel"),
        ("--grid", "coarse", "native or model"),
        ("--device", "tpu", "auto, cpu, cuda"),
        ("--device", "cuda:x", "auto, cpu, cuda"),
    ],
)
def test_an_unknown_name(bench: Bench, onnxcert: Any, flag: str, value: str, choices: str) -> None:
    assert_one_sentence(onnxcert(*bench.command(flag, value)), choices, repr(value))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("gain", ["--feed must be NAME=VALUE", "'gain'"]),
        ("=1", ["--feed must be NAME=VALUE", "'=1'"]),
        ("gain=", ["--feed gain", "''"]),
        ("gain=loud", ["--feed gain", "'loud'"]),
        ("gain=1,,2", ["--feed gain", "'1,,2'"]),
        ("gain=nothing.npy", ["nothing.npy", "cannot be read"]),
        ("gain=1", ["'gain'", "the model has none"]),
    ],
)
def test_a_value_for_a_further_input_that_is_none(
    bench: Bench, onnxcert: Any, value: str, words: list[str]
) -> None:
    assert_one_sentence(onnxcert(*bench.command("--feed", value)), *words)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--size", "8x8", "--scale", "0.5"), ["size", "scale", "exclude each other"]),
        (("--grid", "model", "--pad-to", "8"), ["--pad-to", "--grid model", "exclude each other"]),
        (("--resize",), ["any size", "--size"]),
        (("--output-form", "logit"), ["2 channels", "--output-form logits"]),
        (("--output-form", "labels"), ["2 channels", "--output-form logits"]),
        (("--channel-order", "GRAY"), ["--channel-order RGB or --channel-order BGR"]),
        (("--layout", "NHWC"), ["image"]),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_flags_that_do_not_fit_each_other_or_the_model(
    bench: Bench, onnxcert: Any, flags: tuple[str, ...], words: list[str]
) -> None:
    assert_one_sentence(onnxcert(*bench.command(*flags)), *words)


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("tau", ["0.5", "0.6", "0.75", "0.9"])
def test_too_few_draws_name_the_number_that_would_do_and_it_does(
    bench: Bench, onnxcert: Any, selection: str, tau: str
) -> None:
    flags = ("--tau", tau, "--selection", selection)
    outcome = onnxcert(*bench.command(*flags, "--n", "11"))
    assert_one_sentence(outcome, "n 11 is too small", "192 components")
    enough = int(re.search(r"use --n (\d+)", outcome.err)[1])  # type: ignore[index]
    assert_one_sentence(onnxcert(*bench.command(*flags, "--n", enough - 1)), f"--n {enough}")
    assert onnxcert(*bench.command(*flags, "--n", enough, "--limit", "1")).status == 0


def test_too_few_draws_for_the_whole_data_set(bench: Bench, onnxcert: Any) -> None:
    flags = ("--alpha-scope", "dataset", "--n", "46")
    assert_one_sentence(onnxcert(*bench.command(*flags)), "alpha 0.000333")
    assert onnxcert(*bench.command("--n", "46")).status == 0


# -- the model -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not an ONNX model"),
        (b"\x89PNG\r\n\x1a\n", "not an ONNX model"),
        (b"def model(): pass\n", "not an ONNX model"),
        (graphs.conv().SerializeToString()[:200], ""),
        (graphs.conv().SerializeToString()[:-20], ""),
    ],
    ids=["empty", "a picture", "text", "cut early", "cut late"],
)
def test_a_file_that_is_no_model(bench: Bench, onnxcert: Any, content: bytes, word: str) -> None:
    path = bench.file("bad.onnx", content)
    for command in (bench.command(model=path), ["inspect", path]):
        assert_one_sentence(onnxcert(*command), "bad.onnx", word)


@pytest.mark.parametrize("name", ["nothing.onnx", "alley", "deep/nothing.onnx"])
def test_a_model_that_is_not_there(bench: Bench, onnxcert: Any, name: str) -> None:
    for command in (bench.command(model=name), ["inspect", name]):
        assert_one_sentence(onnxcert(*command), name)
    assert_one_sentence(onnxcert(*bench.command("--nonrobust", name)), name)


def test_a_folder_for_a_model(bench: Bench, onnxcert: Any) -> None:
    empty = bench.folder / "empty"
    empty.mkdir()
    for command in (bench.command(model=empty), ["inspect", empty]):
        assert_one_sentence(onnxcert(*command), str(empty), "folder")


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        (graphs.conv(), ["--range 0,1"]),
        (graphs.two_inputs(), ["'left'", "'right'", "--input left or --input right"]),
        (graphs.two_outputs(), ["'main'", "'aux'", "--output main or --output aux"]),
        (
            graphs.identity(["b", None, "h", "w"], ["b", 3, "h", "w"]),
            ["[b, ?, h, w]", "--layout NCHW or --layout NHWC"],
        ),
        (
            graphs.one_channel_map(),
            ["--output-form logit, --output-form sigmoid or --output-form labels"],
        ),
        (graphs.label_map(chosen=False), ["class indices", "--classes"]),
        (graphs.typed("int32"), ["int32", "float32, float16, float64, uint8, int8"]),
        (graphs.multi_label(), ["sigmoid", "--output-form multilabel"]),
        (graphs.training_batchnorm(), ["the_BatchNormalization", "evaluation mode"]),
        (graphs.dropout(training=True), ["the_Dropout"]),
        (graphs.random_operator("RandomNormalLike"), ["the_RandomNormalLike"]),
        (graphs.conv(contract="{"), ["JSON"]),
        (graphs.conv(contract='{"version": 9}'), ["version 9", "reads version 1"]),
    ],
    ids=[
        "range unknown",
        "two inputs",
        "two outputs",
        "channels unknown",
        "one channel out",
        "classes unknown",
        "int32",
        "multi-label",
        "batchnorm",
        "dropout",
        "random",
        "broken contract",
        "contract of the future",
    ],
)
def test_a_model_that_must_not_be_certified(
    bench: Bench, onnxcert: Any, proto: Any, words: list[str]
) -> None:
    path = graphs.save(proto, bench.folder / "bad.onnx")
    assert_one_sentence(onnxcert(*bench.command(model=path)), "bad.onnx", *words)


@pytest.mark.parametrize(
    ("proto", "flags"),
    [
        (graphs.channels_last(), ()),
        (graphs.channels_last(12, 16), ()),
        (graphs.two_outputs(), ("--output", "main")),
        (graphs.label_map(), ()),
        (graphs.identity(["b", None, "h", "w"], ["b", 3, "h", "w"]), ("--layout", "NCHW")),
    ],
    ids=["channels last", "of one size", "one of two outputs", "labels", "layout given"],
)
def test_other_forms_of_one_model_are_certified_alike(
    bench: Bench, onnxcert: Any, proto: Any, flags: tuple[str, ...]
) -> None:
    shape = ["batch", 3, "height", "width"]
    stores = []
    for name, form, given in (("plain", graphs.identity(shape), ()), ("other", proto, flags)):
        path = graphs.save(form, bench.folder / name / "model.onnx")
        out = bench.folder / name / "out"
        command = bench.command("--range", "0,1", "--seed", "3", "--out", out, *given, model=path)
        assert onnxcert(*command).status == 0
        stores.append(ResultStore(out))
    for name in ("p0", "p1", "p2"):
        one, other = (store.read(name) for store in stores)
        for array in ("candidate", "hits", "single"):
            assert np.array_equal(getattr(one.tally, array), getattr(other.tally, array)), array
        for array in ("labels", "clean"):
            assert np.array_equal(getattr(one, array), getattr(other, array)), array


@pytest.mark.parametrize("flag", ["--input", "--output"])
def test_a_tensor_that_the_model_does_not_have(bench: Bench, onnxcert: Any, flag: str) -> None:
    assert_one_sentence(onnxcert(*bench.command(flag, "ghost")), "'ghost'", flag[2:])


def test_no_sigma_and_none_in_the_model(bench: Bench, onnxcert: Any) -> None:
    command = ["certify", bench.model, bench.pictures, "--json", "--out", bench.out]
    assert_one_sentence(onnxcert(*command), "--sigma")


def test_a_model_of_one_size_for_pictures_of_another(bench: Bench, onnxcert: Any) -> None:
    path = graphs.save(graphs.threshold(size=(8, 8)), bench.folder / "small.onnx")
    assert_one_sentence(onnxcert(*bench.command(model=path)), "8x8", "12x16")


def test_a_model_that_answers_differently_each_time_is_refused(
    bench: Bench, onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxcert import OnnxSegmenter

    rng = np.random.default_rng(0)
    monkeypatch.setattr(
        OnnxSegmenter,
        "__call__",
        lambda _, batch: rng.integers(0, 2, (len(batch), *batch.shape[2:])).astype(np.uint8),
    )
    assert_one_sentence(onnxcert(*bench.command()), "different outputs for the same input")


def test_cuda_on_a_machine_without_it(bench: Bench, onnxcert: Any) -> None:
    from onnxcert.model.runtime import session

    if session._gpu_present():
        pytest.skip("this machine has a GPU")
    assert_one_sentence(onnxcert(*bench.command("--device", "cuda")), "cuda", "--device cpu")


# -- inputs and labels ---------------------------------------------------------------------------


def test_inputs_that_are_not_there(bench: Bench, onnxcert: Any) -> None:
    for inputs in ("nothing.png", "nothing/", bench.folder / "no*.png"):
        assert_one_sentence(onnxcert(*bench.command(inputs=inputs)), "no")


def test_an_empty_folder(bench: Bench, onnxcert: Any) -> None:
    empty = bench.folder / "empty"
    empty.mkdir()
    assert_one_sentence(onnxcert(*bench.command(inputs=empty)), str(empty))


def test_no_inputs_and_no_samples(bench: Bench, onnxcert: Any) -> None:
    command = ["certify", bench.model, *GOOD, "--out", bench.out]
    assert_one_sentence(onnxcert(*command), "no inputs")


@pytest.mark.parametrize(
    "array",
    [
        np.full((3, 8, 8), np.nan, np.float32),
        np.full((3, 8, 8), np.inf, np.float32),
        np.full((3, 8, 8), 2.0, np.float32),
        np.zeros((3, 8, 8), np.int64),
        np.zeros((8,), np.uint8),
        np.zeros((5, 8, 8), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.array(["picture"]),
    ],
    ids=["NaN", "infinite", "above 1", "int64", "a vector", "five channels", "empty", "text"],
)
def test_an_array_that_is_no_picture(bench: Bench, onnxcert: Any, array: Any) -> None:
    path = bench.array("bad.npy", array)
    assert_one_sentence(onnxcert(*bench.command(inputs=path)), "bad.npy")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "npy", "txt"])
@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_when_no_picture_can_be_read(
    bench: Bench, onnxcert: Any, suffix: str, content: bytes
) -> None:
    path = bench.file(f"bad.{suffix}", content)
    assert_one_sentence(onnxcert(*bench.command(inputs=path)), f"bad.{suffix}", "none of 1")


def test_a_picture_cut_short_behind_its_header(bench: Bench, onnxcert: Any) -> None:
    whole = (bench.pictures / "p0.png").read_bytes()
    path = bench.file("cut.png", whole[:120])
    assert_one_sentence(onnxcert(*bench.command(inputs=path)), "cut.png")


def test_labels_that_are_missing(bench: Bench, onnxcert: Any) -> None:
    assert_one_sentence(onnxcert(*bench.command("--labels", "nowhere")), "nowhere")
    labels = bench.labels()
    (labels / "p1.npy").unlink()
    assert_one_sentence(onnxcert(*bench.command("--labels", labels)), "p1")


def test_labels_of_another_size_name_both(bench: Bench, onnxcert: Any) -> None:
    labels = bench.labels((6, 8))
    assert_one_sentence(
        onnxcert(*bench.command("--labels", labels)), "6x8", "12x16", "p0.npy", "p0.png"
    )


def test_labels_that_the_model_does_not_have(bench: Bench, onnxcert: Any) -> None:
    labels = bench.labels(value=7)
    outcome = onnxcert(*bench.command("--labels", labels))
    assert_one_sentence(outcome, "7", "0 to 1", "--ignore-label 7")


def test_the_command_that_a_refusal_recommends_works(bench: Bench, onnxcert: Any) -> None:
    labels = bench.labels(value=7)
    assert onnxcert(*bench.command("--labels", labels)).status == 2
    assert onnxcert(*bench.command("--labels", labels, "--ignore-label", "7")).status == 0


@pytest.mark.parametrize("kind", ["text", "colour", "float", "cut"])
def test_labels_that_are_none(bench: Bench, onnxcert: Any, kind: str) -> None:
    labels = bench.labels()
    bad = labels / "p0.npy"
    match kind:
        case "text":
            bad.write_text("road")
        case "float":
            np.save(bad, np.zeros((12, 16)))
        case "colour":
            bad.unlink()
            Image.new("RGB", (16, 12)).save(labels / "p0.png")
        case "cut":
            bad.write_bytes(bad.read_bytes()[:40])
    assert_one_sentence(onnxcert(*bench.command("--labels", labels)), "p0")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("dark\n", "1 class names"),
        ("dark\nbright\nother\n", "3 class names"),
        ("", "names.txt"),
        ("dark\ndark\n", "'dark'"),
        (b"\xff\xfe\x00\x01", "names.txt"),
    ],
    ids=["too few", "too many", "empty", "twice", "no text"],
)
def test_class_names_that_do_not_fit(
    bench: Bench, onnxcert: Any, content: bytes | str, word: str
) -> None:
    path = bench.file("names.txt", content)
    assert_one_sentence(onnxcert(*bench.command("--class-names", path)), word)


def test_class_names_that_are_not_there(bench: Bench, onnxcert: Any) -> None:
    assert_one_sentence(onnxcert(*bench.command("--class-names", "names.txt")), "names.txt")


def test_camvid_that_is_none(bench: Bench, onnxcert: Any) -> None:
    assert_one_sentence(onnxcert(*bench.command("--dataset", "camvid")), "CamVid")


# -- the folder for results ----------------------------------------------------------------------


def spoilt_folders() -> dict[str, Callable[[Path], object]]:
    def results_only(out: Path) -> None:
        (out / "inputs").mkdir(parents=True)
        with h5py.File(out / "inputs" / "x.h5", "w") as file:
            file["data"] = [1, 2, 3]

    def run_file(text: str) -> Callable[[Path], object]:
        def write(out: Path) -> None:
            out.mkdir()
            (out / "run.json").write_text(text)

        return write

    def file_in_the_way(name: str) -> Callable[[Path], object]:
        def write(out: Path) -> None:
            out.mkdir()
            (out / name).write_text("in the way")

        return write

    return {
        "a file": lambda out: out.write_text("a file"),
        "a foreign store": results_only,
        "a foreign run file": run_file("{}"),
        "no JSON": run_file("seed: 3"),
        "a run of the future": run_file(
            '{"encoding-type": "onnxcert-run", "encoding-version": 9, "seed": 1, "parameters": {}}'
        ),
        "inputs is a file": file_in_the_way("inputs"),
        "partial is a file": file_in_the_way("partial"),
    }


@pytest.mark.parametrize("kind", spoilt_folders())
def test_a_folder_that_is_not_for_results(bench: Bench, onnxcert: Any, kind: str) -> None:
    spoilt_folders()[kind](bench.out)
    assert_one_sentence(onnxcert(*bench.command()), str(bench.out))


def test_a_folder_below_a_file(bench: Bench, onnxcert: Any) -> None:
    path = bench.file("file", "in the way")
    command = ["certify", bench.model, bench.pictures, *GOOD, "--out", path / "out"]
    assert_one_sentence(onnxcert(*command), str(path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_that_must_not_be_written(bench: Bench, onnxcert: Any) -> None:
    bench.out.mkdir(mode=0o500)
    assert_one_sentence(onnxcert(*bench.command()), str(bench.out), "--out")


def test_a_refusal_before_anything_is_drawn_leaves_no_folder_behind(
    bench: Bench, onnxcert: Any
) -> None:
    for spoilt in (("--n", "11"), ("--tau", "2"), ("--sigma", "-1"), ("--labels", "nowhere")):
        assert onnxcert(*bench.command(*spoilt)).status == 2
        assert not bench.out.exists()


def test_a_refused_seed_is_not_kept_for_the_next_run(bench: Bench, onnxcert: Any) -> None:
    assert_one_sentence(onnxcert(*bench.command("--seed", "-1")), "seed")
    assert not bench.out.exists()
    assert onnxcert(*bench.command()).status == 0


# -- the command itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["certify"],
        ["report"],
        ["inspect"],
        ["certfy", "model.onnx"],
        ["certify", "model.onnx", "--sgima", "0.2"],
        ["certify", "model.onnx", "--sigma"],
        ["--loud"],
        ["inspect", "model.onnx", "another.onnx"],
        ["report", "out", "--labels", "x"],
    ],
    ids=" ".join,
)
def test_a_command_that_is_none(onnxcert: Any, arguments: list[str]) -> None:
    assert_one_sentence(onnxcert(*arguments))


@pytest.mark.parametrize("kind", ["missing", "empty", "a file", "without inputs"])
def test_report_on_a_folder_without_results(bench: Bench, onnxcert: Any, kind: str) -> None:
    match kind:
        case "empty":
            bench.out.mkdir()
        case "a file":
            bench.out.write_text("a file")
        case "without inputs":
            (bench.out / "inputs").mkdir(parents=True)
    for flags in ((), ("--json",), ("--per-class",)):
        words = [str(bench.out), "not a readable HDF5 file"] if kind == "a file" else ["no results"]
        assert_one_sentence(onnxcert("report", bench.out, *flags), *words)


@pytest.mark.parametrize(
    "spoilt",
    [
        ("--n", "11"),
        ("--seed", "-1"),
        ("--out", "model.onnx"),
        ("--labels", "labels"),
    ],
    ids=" ".join,
)
def test_a_refusal_is_all_that_is_printed_without_json_as_well(
    bench: Bench, onnxcert: Any, monkeypatch: pytest.MonkeyPatch, spoilt: tuple[str, ...]
) -> None:
    monkeypatch.chdir(bench.folder)
    bench.labels(value=9)
    command = [a for a in bench.command(*spoilt) if a != "--json"]
    assert_one_sentence(onnxcert(*command))
