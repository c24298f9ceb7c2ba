"""What is open about a model is asked for in one message; `inspect` refuses what `certify` does."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from onnxcert.cli import load_command
from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.runtime import RunningOptions
from onnxcert.errors import ModelError
from onnxcert.model.bundled import find_model
from onnxcert.report.tables.text import count_similar, merge_similar
from onnxcert.run.run import Run

QUICK = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--no-pictures", "--limit", "1")


def one_channel_of_two(size: tuple[int, int] = (8, 8)) -> onnx.ModelProto:
    """Two outputs of one channel, at one size: range, form, output, noise and size are open."""
    proto = graphs.conv(1, size=size, tail="scores = Identity(raw) other = Neg(raw)")
    proto.graph.output.append(
        helper.make_tensor_value_info("other", onnx.TensorProto.FLOAT, ["batch", 1, *size])
    )
    return proto


def typed(err: str) -> list[str]:
    """The command line below a message."""
    return shlex.split(err.splitlines()[-1])[1:]


def test_all_that_is_open_is_asked_for_at_once_and_the_line_shown_certifies(
    tmp_path: Path, pictures: Path, onnxcert: Any
) -> None:
    path = graphs.save(one_channel_of_two(), tmp_path / "a model.onnx")
    given = ("--n", "60", "--threads", "1", "--no-pictures", "--limit", "1")
    asked = onnxcert("certify", path, pictures, *given, "--out", tmp_path / "out")
    assert asked.status == 2
    sentence, *meanings, assumed, _, _ = asked.err.splitlines()
    assert "RGB; pass --channel-order BGR" in assumed
    flags = ["--output", "--output-form", "--range", "--sigma", "--resize"]
    assert [line.split(":")[0].strip() for line in meanings] == flags
    assert all(flag in sentence for flag in flags)
    words = typed(asked.err)
    assert words[:3] == ["certify", str(path), str(pictures)]
    chosen = ["0.2" if word == "SIGMA" else word.split("|")[0] for word in words[3:]]
    done = onnxcert(*words[:3], *chosen)
    assert done.status == 0, done.err


def test_nothing_is_asked_for_that_was_said(tmp_path: Path, pictures: Path, onnxcert: Any) -> None:
    path = graphs.save(one_channel_of_two(), tmp_path / "model.onnx")
    said = ("--output", "other", "--resize", "--range", "0,1")
    asked = onnxcert("certify", path, pictures, *QUICK, *said, "--out", tmp_path / "out")
    assert re.findall(r"^  (--[a-z-]+):", asked.err, re.MULTILINE) == ["--output-form"]


def test_inspect_takes_every_option_about_the_model_that_certify_takes() -> None:
    flags = {
        command: {
            flag
            for option in load_command(command).params
            if getattr(option, "rich_help_panel", "")
            in (ContractOptions.title, RunningOptions.title)
            for flag in (*option.opts, *option.secondary_opts)
        }
        for command in ("certify", "inspect")
    }
    assert {"--range", "--all-parts", "--tile"} < flags["certify"] == flags["inspect"]


def ending_in(operator: str) -> onnx.ModelProto:
    return graphs.conv(3, tail=f"scores = {operator}(raw)")


def half_weights() -> onnx.ModelProto:
    """Weights in half precision in a graph of single precision."""
    proto = graphs.conv(3)
    for constant in proto.graph.initializer:
        half = numpy_helper.to_array(constant).astype(np.float16)
        constant.CopyFrom(numpy_helper.from_array(half, constant.name))
    return proto


def stated(shape: list[Any]) -> onnx.ModelProto:
    """A layout that only the whole graph, with the labels behind it, fails on."""
    proto = graphs.conv(3, size=(8, 8))
    del proto.graph.output[:]
    proto.graph.output.append(
        helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, shape)
    )
    return proto


# A model, options about it, and the status of both commands.
ASKED: dict[str, tuple[onnx.ModelProto, tuple[str, ...], int]] = {
    "right": (graphs.conv(3), (), 0),
    "an operator that no runtime has": (ending_in("Erfc"), (), 2),
    "half weights": (half_weights(), (), 2),
    "random": (ending_in("RandomUniformLike"), (), 2),
    "another layout": (graphs.conv(3, size=(8, 8)), ("--output-layout", "NHWC"), 2),
    "either layout": (graphs.conv(8, size=(8, 8)), ("--output-layout", "NHWC"), 0),
    "stated otherwise": (stated([1, 8, 8, 3]), (), 0),
    "other classes": (graphs.conv(3), ("--classes", "4"), 2),
    "no multiple": (graphs.conv(3), ("--pad-to", "0"), 2),
    "resized to nothing": (graphs.conv(3), ("--resize",), 2),
    "tiles of any size": (graphs.conv(3), ("--tile", "model"), 2),
    "tiles": (graphs.conv(3), ("--tile", "8x8"), 0),
    "a factor": (graphs.conv(3), ("--scale", "0.5", "--grid", "model"), 0),
    "another device": (graphs.conv(3), ("--device", "tpu"), 2),
}


@pytest.mark.parametrize("case", ASKED)
def test_inspect_refuses_what_certify_refuses(
    case: str, tmp_path: Path, pictures: Path, onnxcert: Any
) -> None:
    proto, flags, status = ASKED[case]
    path = graphs.save(proto, tmp_path / "model.onnx")
    said = ("--range", "0,1", *flags, *(() if flags else ("--size", "8x8")))
    if "--output-layout" in flags:
        said = (*said, "--size", "8x8")
    done = onnxcert("certify", path, pictures, *QUICK, *said, "--out", tmp_path / "out")
    found = onnxcert("inspect", path, *said)
    assert (done.status, found.status) == (status, status), (done.err, found.err)


def test_findings_that_are_alike_are_one_line_with_their_number(
    tmp_path: Path, onnxcert: Any
) -> None:
    names = ["raw", *(f"v{i}" for i in range(4)), "scores"]
    tail = "".join(
        f"q{b}, s{b}, z{b} = DynamicQuantizeLinear({a}) {b} = DequantizeLinear(q{b}, s{b}, z{b})"
        for a, b in pairwise(names)
    )
    path = graphs.save(graphs.conv(3, tail=tail), tmp_path / "model.onnx")
    done = onnxcert("inspect", path, "--range", "0,1")
    lines = [line for line in done.out.splitlines() if "over the whole batch" in line]
    assert len(lines) == 1
    assert "(and 4 more)" in lines[0]


def test_notes_that_differ_in_numbers_are_one_with_their_number() -> None:
    notes = {f"everything abstains: {i} of 60 votes at most": 1 for i in range(22)}
    (said,) = count_similar({**notes}, 22)
    assert said.startswith("everything abstains: 0 of 60 votes at most (22 of 22 inputs")
    assert count_similar({"one": 2, "other": 1}, 3) == [
        "one (2 of 3 inputs)",
        "other (1 of 3 inputs)",
    ]
    assert len(merge_similar([*notes, "another"])) == 2


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("outputs", ["scores", "scores,other"])
def test_the_command_that_an_interrupted_run_names_goes_on_with_it(
    outputs: str,
    named: bool,
    tmp_path: Path,
    pictures: Path,
    onnxcert: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = graphs.save(one_channel_of_two((12, 16)), tmp_path / "a model.onnx")
    flags = ("--output", outputs, "--output-form", "logit", "--range", "0,1", *QUICK)
    out = ("--out", tmp_path / "my out") if named else ()
    whole = Run.execute
    stores: list[Path] = []

    def stopped(run: Run, random_seed: int) -> Any:
        whole(run, random_seed)
        stores.append(run.store.folder.resolve())
        if len(stores) == 1:
            raise KeyboardInterrupt
        return None

    monkeypatch.setattr(Run, "execute", stopped)
    done = onnxcert("certify", path, pictures, *flags, *out)
    assert done.status == 130
    (line,) = re.findall(r"; onnxcert (certify .*) resumes the run", done.err)
    monkeypatch.setattr(Run, "execute", whole)
    again = onnxcert(*shlex.split(line))
    assert again.status == 0, again.err
    folders = [Path(f).resolve() for f in re.findall(r"^results in (.*)$", again.out, re.MULTILINE)]
    assert folders[0] == stores[0]
    assert len(folders) == len(outputs.split(","))


def test_a_folder_with_one_model_is_that_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="without an ONNX file"):
        find_model(str(tmp_path))
    inner = graphs.save(graphs.conv(3), tmp_path / "onnx" / "other.onnx")
    assert find_model(str(tmp_path)) == inner
    usual = graphs.save(graphs.conv(3), tmp_path / "onnx" / "model.onnx")
    assert find_model(str(tmp_path)) == usual
    graphs.save(graphs.conv(3), tmp_path / "a.onnx")
    assert find_model(str(tmp_path)) == tmp_path / "a.onnx"
    graphs.save(graphs.conv(3), tmp_path / "b.onnx")
    with pytest.raises(ModelError, match=r"2 ONNX files \(a.onnx, b.onnx\)"):
        find_model(str(tmp_path))
