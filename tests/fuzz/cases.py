"""One case: something damaged, and the command that meets it. A pure function of (seed, index)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import graphs
import mutation
import numpy as np
import onnx
import stores
import zoo
from mutation import pick
from sidecar_cases import sidecar_files
from zoo import Conv3, Dialect

Arguments = list[str]
# One command, or several on the same thing, between which the case looks at what they did.
Case = Callable[[np.random.Generator, Path], Arguments | Iterator[Arguments]]

CONV: Final = Conv3.random(3, seed=58)
COUNT: Final = ["--sigma", "0.1", "--n", "45", "--n0", "4", "--seed", "1", "--no-pictures"]
HERE: Final = ["--device", "cpu", "--threads", "1"]
CONTRACT: Final[dict[str, Any]] = {
    "version": 1,
    "input": "image",
    "layout": "NCHW",
    "channel_order": "RGB",
    "dtype": "float32",
    "value_range": [0, 255],
    "mean": [0.4, 0.4, 0.4],
    "std": [0.2, 0.2, 0.2],
    "normalise": "before",
    "feeds": [["bias", CONV.bias.tolist()]],
    "output": "answer",
    "output_form": "logits",
    "output_layout": "NCHW",
    "output_rank": 4,
    "threshold": 0.5,
    "classes": 3,
    "class_names": ["a", "b", "c"],
    "trained_sigma": 0.1,
    "multiple": 2,
    "batch": 2,
    "size": [8, 6],
}


@cache
def models() -> list[tuple[bytes, Arguments]]:
    """Valid models of many kinds, with the flags that each needs."""
    kinds = [
        (Dialect(), []),
        (Dialect(layout="NHWC", output_layout="NHWC", order="BGR"), ["--channel-order", "BGR"]),
        (Dialect(dtype="uint8"), []),
        (Dialect(dtype="float16"), []),
        (Dialect(dtype="float64"), []),
        (Dialect(form="probabilities", batch=2, size=(8, 6), baked=True), []),
        (Dialect(form="multilabel"), ["--output-form", "multilabel"]),
        (Dialect(form="labels", answer_type="int64", answer_rank=3), ["--classes", "3"]),
        (Dialect(feed="vector"), ["--feed", "bias=0.5,1,2"]),
        (Dialect(opset=9, ir=3), []),
        (Dialect(opset=11, form="probabilities", ir=6), []),
    ]
    named = [(d.proto(CONV).SerializeToString(), [*flags, "--range", "0,1"]) for d, flags in kinds]
    named.append((growing().SerializeToString(), ["--range", "0,1"]))
    carrying = Dialect(feed="vector").proto(CONV)
    onnx.helper.set_model_props(carrying, {"onnxcert": '{"version": 1, "value_range": [0, 1]}'})
    return [*named, (carrying.SerializeToString(), ["--feed", "bias=0.5,1,2"])]


def growing() -> onnx.ModelProto:
    """A model whose numbers say how large its values become, with a function and a sequence."""
    proto = graphs.with_function(
        graphs.conv(
            tail="""
                tiled = Tile(raw, times)
                large = Resize(tiled, "", scales)
                zeros = ConstantOfShape(shape)
                scores = local.Half(large, zeros)
                sequence = SequenceConstruct(scores)
            """,
            times=[1, 1, 1, 2],
            scales=[1.0, 1.0, 2.0, 1.0],
            shape=[1, 1],
        ),
        """Half (x, z) => (y) {
            small = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(x)
            nothing = ReduceSum<keepdims = 0>(z)
            y = Add(small, nothing)
        }""",
    )
    value = onnx.helper.make_tensor_sequence_value_info("sequence", onnx.TensorProto.FLOAT, None)
    proto.graph.output.append(value)
    return proto


def external(rng: np.random.Generator, folder: Path) -> Arguments:
    """Weights in a file of their own: that, or what the model says of it, is damaged."""
    where = folder / "external"
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir()
    path, weights = where / "model.onnx", where / "weights.bin"
    proto = Dialect().proto(CONV)
    onnx.save(proto, path, save_as_external_data=True, location=weights.name, size_threshold=0)
    match int(rng.integers(4)):
        case 0:
            weights.write_bytes(mutation.damaged_bytes(rng, weights.read_bytes()))
        case 1:
            path.write_bytes(mutation.damaged_bytes(rng, path.read_bytes()))
        case 2:
            path.write_bytes(mutation.damaged_fields(rng, path.read_bytes()))
        case _:
            damaged = onnx.load(path, load_external_data=False)
            tensor = pick(rng, damaged.graph.initializer)
            entry = pick(rng, tensor.external_data)
            entry.value = pick(rng, EXTERNAL)
            path.write_bytes(damaged.SerializeToString())
    return asked(rng, path, folder, ["--range", "0,1"])


EXTERNAL: Final = (
    *("", ".", "..", "/", "../weights.bin", "/etc/passwd", "weights.bin/", "nothing", "a\0b"),
    *("-1", "0", "1", "1000000", "9" * 30, "x", "1e3", "*/_ORT_MEM_ADDR_/*", "x" * 300),
)


def picture(folder: Path) -> Path:
    path = folder / "picture.png"
    return path if path.exists() else zoo.write_picture(path, zoo.picture(8, 6, seed=5))


def asked(rng: np.random.Generator, model: Path, folder: Path, flags: Arguments) -> Arguments:
    """Inspect the model, alone or with a picture, or certify it on one."""
    shot = str(picture(folder))
    match int(rng.integers(8)):
        case 0 | 1:
            return ["inspect", str(model), *flags]
        case 2:
            return ["inspect", str(model), shot, *flags, "--out", str(folder / "seen.png")]
        case _:
            return ["certify", str(model), shot, *flags, *COUNT, *HERE, "--out", fresh(folder)]


def fresh(folder: Path) -> str:
    """An empty place for results."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    return str(folder / "out")


def onnx_bytes(rng: np.random.Generator, folder: Path) -> Arguments:
    data, flags = pick(rng, models())
    if rng.random() < 0.2:
        data = mutation.damaged_bytes(rng, data, pick(rng, models())[0])
    else:
        data = mutation.damaged_fields(rng, data)
    path = folder / "model.onnx"
    path.write_bytes(data)
    return asked(rng, path, folder, flags)


def contract_json(rng: np.random.Generator, folder: Path) -> Arguments:
    proto = Dialect(feed="vector").proto(CONV)
    rare = ("batch", "size", "threshold")
    kept = [name for name in CONTRACT if name not in rare or rng.random() < 0.2]
    text = mutation.damaged_json(rng, {name: CONTRACT[name] for name in kept})
    onnx.helper.set_model_props(proto, {"onnxcert": text})
    return asked(rng, graphs.save(proto, folder / "model.onnx"), folder, [])


def sidecars(rng: np.random.Generator, folder: Path) -> Arguments:
    return asked(rng, sidecar_files(rng, folder), folder, [])


NUMBERS: Final = ("", "0", "-1", "1", "2.5", "nan", "inf", "-inf", "1e400", "x", "9" * 25, "0x10")
LISTS: Final = ("", "0,1", "1,0", "0,255", ",", "1,2,3", "nan,1", "0,inf", "1,2,3,4", "0.5", "a,b")
WORDS: Final = ("", "NCHW", "NHWC", "image", "answer", "rgb", "BGR", "RGBA", "GRAY", "labels", "é")
FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "--layout": WORDS,
    "--channel-order": WORDS,
    "--range": LISTS,
    "--mean": LISTS,
    "--std": LISTS,
    "--normalise": ("after", "before", "", "both"),
    "--input": WORDS,
    "--output": (*WORDS, "answer,answer", ",", "answer,"),
    "--output-layout": WORDS,
    "--output-form": (*WORDS, "logits", "sigmoid", "logit", "multilabel", "probabilities"),
    "--threshold": NUMBERS,
    "--classes": NUMBERS,
    "--feed": ("", "=", "bias=", "bias=1", "bias=1,2,3", "bias=nan,1,2", "bias=no.npy", "x=1"),
    "--size": ("", "8x6", "0x0", "8", "x", "-8x6", "8x6x1", "9999999999x1", "8X6", "1x1"),
}
CERTIFY_FLAGS: Final[dict[str, tuple[str, ...]]] = {
    **FLAGS,
    "--sigma": NUMBERS,
    "--tau": (*NUMBERS, "0.5", "0.75", "0.9999999999999999"),
    "--n": ("", "0", "-1", "1", "45", "60", "x", "1.5"),
    "--n0": NUMBERS,
    "--alpha": (*NUMBERS, "0.5", "1e-300", "5e-324"),
    "--alpha-scope": ("input", "dataset", ""),
    "--correction": ("holm", "bonferroni", "", "sidak"),
    "--selection": ("pooled", "split", ""),
    "--seed": NUMBERS,
    "--scale": ("", "0", "-1", "0.5", "nan", "inf", "1e-300", "2", "17"),
    "--pad-to": ("", "0", "1", "4", "-4", "33", "9999"),
    "--grid": ("native", "model", ""),
    "--batch-size": NUMBERS,
    "--threads": ("0", "1", "2", "-1", "x"),
    "--device": ("cpu", "auto", "", "cuda", "cuda:99", "tpu", "cpu:1"),
    "--checkpoint": NUMBERS,
    "--limit": NUMBERS,
    "--every": NUMBERS,
    "--ignore-label": NUMBERS,
    "--dataset": ("folder", "", "camvid", "x"),
    "--labels": ("", "nowhere", "."),
    "--class-names": ("", "nowhere", "."),
    "--nonrobust": ("", "nowhere", "."),
    "--perturbation": ("gaussian", "", "x"),
}


def flags(rng: np.random.Generator, folder: Path) -> Arguments:
    data, usual = pick(rng, models())
    model = folder / "model.onnx"
    model.write_bytes(data)
    command = pick(rng, ("certify", "certify", "certify", "inspect"))
    table = CERTIFY_FLAGS if command == "certify" else FLAGS
    odd: Arguments = []
    for _ in range(int(rng.integers(1, 4))):
        name = pick(rng, list(table))
        odd.append(f"{name}={pick(rng, table[name])}")
    usual = usual if rng.random() < 0.8 else []
    if command == "inspect":
        return ["inspect", str(model), *usual, *odd]
    return [
        *("certify", str(model), str(picture(folder)), *usual, *COUNT, *HERE, *odd),
        *("--out", fresh(folder)),
    ]


@cache
def finished(folder: Path) -> Path:
    """A finished run of two pictures, with one packed copy beside it."""
    from onnxcert.cli import run_command_line

    out = folder / "finished"
    packed = folder / "packed.h5"
    shutil.rmtree(out, ignore_errors=True)
    packed.unlink(missing_ok=True)
    model = folder / "whole.onnx"
    model.write_bytes(models()[0][0])
    shots = [zoo.write_picture(folder / f"{i}.png", zoo.picture(8, 6, seed=i)) for i in range(2)]
    arguments = ["certify", str(model), *map(str, shots), "--range", "0,1", *COUNT, *HERE]
    assert run_command_line([*arguments, "--out", str(out)]) == 0
    assert run_command_line(["pack", str(out), str(packed)]) == 0
    return out


def hdf5(rng: np.random.Generator, folder: Path) -> Arguments:
    whole = finished(folder)
    victims = [f"inputs/{i}.h5" for i in range(2)]
    if rng.random() < 0.25:
        target = folder / "damaged.h5"
        shutil.copy(folder / "packed.h5", target)
        victim = target
    else:
        target = folder / "damaged"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(whole, target)
        victim = target / pick(rng, [*victims, *victims, "run.json", "results.h5", "index.jsonl"])
    if victim.suffix == ".h5" and rng.random() < 0.6:
        mutation.damaged_hdf5(rng, victim)
    else:
        victim.write_bytes(mutation.damaged_bytes(rng, victim.read_bytes()))
    return pick(
        rng,
        [
            ["report", str(target)],
            ["report", str(target), "--json"],
            ["report", str(target), "--per-class"],
            ["verify", str(target)],
            ["diff", str(target), str(whole)],
        ],
    )


def odd(rng: np.random.Generator, folder: Path) -> Arguments:
    """A pipe, a device or a file that claims a terabyte, in place of one that is read."""
    whole, target = finished(folder), folder / "odd"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(whole, target)
    shots, table = target / "a.png", target / "classes.csv"
    shutil.copy(folder / "0.png", shots)
    table.write_text("a.png,1\n")
    (target / "partial" / "a.h5").write_bytes(b"")
    files = ["inputs/0.h5", "run.json", "results.h5", "partial/a.h5", "a.png", "classes.csv"]
    victim = target / pick(rng, files)
    victim.unlink()
    match int(rng.integers(3)):
        case 0:
            os.mkfifo(victim)
        case 1:
            victim.symlink_to("/dev/zero")
        case _:
            with victim.open("wb") as file:
                file.truncate(2**40)
    certify = ["certify", str(folder / "whole.onnx"), str(shots), "--range", "0,1", *COUNT, *HERE]
    return pick(
        rng,
        [
            ["report", str(target)],
            ["verify", str(target)],
            ["diff", str(target), str(whole)],
            ["decide", str(target), "--tau", "0.8"],
            [*certify, "--out", str(target)],
            [*certify, "--labels", str(table), "--out", fresh(folder)],
            [*certify, "--class-names", str(table), "--out", fresh(folder)],
        ],
    )


CASES: Final[dict[str, Case]] = {
    "onnx": onnx_bytes,
    "external": external,
    "contract": contract_json,
    "flags": flags,
    "hdf5": hdf5,
    "sidecars": sidecars,
    "store": stores.store,
    "odd": odd,
}
