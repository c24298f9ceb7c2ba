"""Pictures of any size and models of any size: resized, padded, cut, on either grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import onnx
import pytest
import zoo
from fits import COARSE, CONV, agree, expected, noisy, opened
from graphs import Graph
from zoo import Conv3, Dialect, upsampled

from onnxcert import ResultStore
from onnxcert.errors import ModelError
from onnxcert.model.adapter.resize import Fit

COUNT = ["--sigma", "0.1", "--n", "60", "--seed", "3", "--device", "cpu", "--threads", "1"]
QUIET = ["--no-pictures", *COUNT]


# -- fixed and free sizes ------------------------------------------------------------------------


def test_a_fixed_size_is_refused_until_resizing_is_asked_for(tmp_path: Path) -> None:
    proto = Dialect(size=(8, 6)).proto(CONV)
    with pytest.raises(ModelError, match="8x6 pixels only, got 9x7; pass --resize"):
        opened(proto, tmp_path)(noisy(9, 7))


def test_a_model_of_one_size_has_its_scores_brought_back(tmp_path: Path) -> None:
    fit = Fit(size=(8, 6))
    segmenter = opened(Dialect(size=(8, 6)).proto(CONV), tmp_path, fit)
    batch = noisy(11, 9)
    agree(segmenter(batch), expected(CONV, batch, fit))


def test_a_contract_that_says_multiples_pads_by_itself(tmp_path: Path) -> None:
    proto = Dialect().proto(CONV)
    onnx.helper.set_model_props(proto, {"onnxcert": '{"version": 1, "multiple": 4}'})
    batch = noisy(9, 7)
    agree(opened(proto, tmp_path)(batch), expected(CONV, batch, Fit(pad_to=4)))


def fussy(multiple: int) -> onnx.ModelProto:
    """Down and up again, added to what it came from: fails unless sides are multiples."""
    g = Graph()
    weight, bias = g.constant(CONV.weight, np.float32), g.constant(CONV.bias, np.float32)
    value = g.add("Conv", "image", weight, bias, pads=[1] * 4)
    pool = {"kernel_shape": [multiple] * 2, "strides": [multiple] * 2}
    small = g.add("AveragePool", value, **pool)
    factors = g.constant([1, 1, multiple, multiple], np.float32)
    g.add("Add", value, g.add("Resize", small, "", factors, mode="nearest"), output="answer")
    return g.model(
        {"image": ("float32", ["batch", 3, "height", "width"])},
        {"answer": ("float32", ["batch", 4, "height", "width"])},
    )


def test_a_network_that_needs_multiples_says_which_flag_helps(
    tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(fussy(4), tmp_path / "model.onnx")
    shot = zoo.write_picture(tmp_path / "shot.png", zoo.picture(9, 7))
    arguments = ["certify", path, shot, "--range", "0,1", *QUIET]
    refused = onnxcert(*arguments, "--out", tmp_path / "a")
    assert "--pad-to 32" in refused.refusal
    assert onnxcert(*arguments, "--pad-to", "4", "--out", tmp_path / "b").status == 0


# -- mixed sizes in one run ----------------------------------------------------------------------

SIZES = [(8, 6), (9, 7), (6, 8), (16, 16)]


def run_of(
    path: Path, folder: Path, onnxcert: Any, *flags: object, sizes: list[tuple[int, int]] = SIZES
) -> Any:
    for i, (height, width) in enumerate(sizes):
        zoo.write_picture(folder / "shots" / f"{i}.png", zoo.picture(height, width, seed=i))
    out = folder / "out"
    done = onnxcert(
        "certify", path, folder / "shots", "--range", "0,1", *QUIET, *flags, "--out", out
    )
    return done, ResultStore(out)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", [[], ["--scale", "0.5"], ["--size", "8x6"], ["--pad-to", "32"]], ids=" ".join
)
@pytest.mark.parametrize("conv", [CONV, COARSE], ids=["fine", "coarse"])
def test_pictures_of_different_sizes_are_each_certified_as_if_alone(
    conv: Conv3, flags: list[str], tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(Dialect().proto(conv), tmp_path / "model.onnx")
    done, store = run_of(path, tmp_path, onnxcert, *flags)
    assert done.status == 0, done.err
    for i, (height, width) in enumerate(SIZES):
        assert store.read(str(i)).labels.shape == (height, width)
    # The last picture, alone, gives what it gave after the others.
    alone = tmp_path / "alone"
    done = onnxcert(
        "certify", path, tmp_path / "shots" / "3.png", "--range", "0,1", *QUIET, *flags,
        "--out", alone,
    )  # fmt: skip
    assert done.status == 0, done.err
    assert np.array_equal(ResultStore(alone).read("3").tally.hits, store.read("3").tally.hits)


def rounding_down() -> onnx.ModelProto:
    """Scores at twice half the size, rounded: equal to the picture's for even sides alone."""
    g = Graph()
    weight, bias = g.constant(COARSE.weight, np.float32), g.constant(COARSE.bias, np.float32)
    value = g.add("Conv", "image", weight, bias, pads=[1] * 4, strides=[2, 2])
    factors = g.constant([1, 1, 2, 2], np.float32)
    g.add("Resize", value, "", factors, mode="linear", output="answer")
    return g.model(
        {"image": ("float32", ["batch", 3, "height", "width"])},
        {"answer": ("float32", ["batch", 4, "h", "w"])},
    )


def test_sizes_that_come_out_rounded_are_refused_with_the_flag_that_helps(
    tmp_path: Path, onnxcert: Any
) -> None:
    """10x8 scores of a picture of 9x7: stretched over it, they would lie off their pixels."""
    path = graphs.save(rounding_down(), tmp_path / "model.onnx")
    done, store = run_of(path, tmp_path, onnxcert, sizes=[(8, 6), (9, 7)])
    assert done.status == 3
    assert "[1, 4, 10, 8] for 1 input of [9, 7]" in done.err
    assert "--pad-to" in done.err
    assert store.names() == ["0"]
    padded, store = run_of(path, tmp_path / "b", onnxcert, "--pad-to", "2", sizes=[(8, 6), (9, 7)])
    assert padded.status == 0, padded.err
    assert store.names() == ["0", "1"]


def coarse_where_odd() -> onnx.ModelProto:
    """Scores on the picture's grid where its height is even, else on one of half the size."""
    g = Graph()
    weight, bias = g.constant(COARSE.weight, np.float32), g.constant(COARSE.bias, np.float32)
    value = g.add("Conv", "image", weight, bias, pads=[1] * 4)
    rows, sides = (
        g.add("Slice", g.add("Shape", value), g.constant([a]), g.constant([b]))
        for a, b in ((0, 2), (2, 4))
    )
    height = g.add("Slice", sides, g.constant([0]), g.constant([1]))
    odd = g.add("Mod", height, g.constant([2]))
    step = g.add("Add", odd, g.constant([1]))
    sides = g.add("Div", g.add("Add", sides, odd), step)
    g.add("Resize", value, "", "", g.add("Concat", rows, sides, axis=0), output="answer")
    return g.model(
        {"image": ("float32", ["batch", 3, "height", "width"])},
        {"answer": ("float32", ["batch", 4, "h", "w"])},
    )


@pytest.mark.parametrize("sizes", [[(9, 7), (8, 6)], [(8, 6), (9, 7)]], ids=["odd", "even"])
def test_the_order_of_sizes_does_not_matter(
    sizes: list[tuple[int, int]], tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(coarse_where_odd(), tmp_path / "model.onnx")
    done, store = run_of(path, tmp_path, onnxcert, sizes=sizes)
    assert done.status == 0, done.err
    assert store.names() == ["0", "1"]


def test_resize_brings_mixed_sizes_to_the_one_size_of_the_model(
    tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(Dialect(size=(8, 6), batch=1).proto(CONV), tmp_path / "model.onnx")
    refused, _ = run_of(path, tmp_path / "refused", onnxcert)
    # One picture has the size already; the others are skipped with the flag that helps.
    assert refused.status == 3
    assert refused.err.count("pass --resize") == len(SIZES) - 1
    done, store = run_of(path, tmp_path / "done", onnxcert, "--resize")
    assert done.status == 0, done.err
    assert [store.read(str(i)).labels.shape for i in range(len(SIZES))] == SIZES


@pytest.mark.parametrize(
    "flags",
    [
        ["--resize"],
        ["--size", "8"],
        ["--size", "0x8"],
        ["--size", "8x6", "--scale", "0.5"],
        ["--pad-to", "0"],
        ["--pad-to", "5000"],
        ["--pad-to", "4", "--grid", "model"],
        ["--grid", "cells"],
    ],
    ids=" ".join,
)
def test_sizes_that_make_no_sense_are_one_sentence(
    flags: list[str], tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(Dialect().proto(CONV), tmp_path / "model.onnx")
    done, _ = run_of(path, tmp_path, onnxcert, *flags)
    assert (done.status, done.err.count("\n")) == (2, 1)


# -- the model's own grid ------------------------------------------------------------------------


def test_the_models_own_grid_has_fewer_components_and_says_so(
    tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(Dialect().proto(COARSE), tmp_path / "model.onnx")
    shot = zoo.write_picture(tmp_path / "shot.png", zoo.picture(8, 6, seed=5))
    flags = ["--range", "0,1", "--grid", "model", *COUNT, "--out", tmp_path / "out"]
    done = onnxcert("certify", path, shot, *flags)
    assert done.status == 0, done.err
    record = ResultStore(tmp_path / "out").read("shot")
    assert record.labels.shape == (4, 3)
    assert record.decision.components == 12
    assert "cells of the model's own output grid" in record.decision.statement
    assert "N 12 components" in record.decision.statement
    assert "grid" in done.out
    assert (tmp_path / "out" / "pictures" / "shot.png").is_file()
    with h5py.File(tmp_path / "out" / "inputs" / "shot.h5") as file:
        assert b"grid" in file["tally"].attrs["kind"]


def test_labels_of_the_models_own_grid_are_its_scores_argmax(tmp_path: Path) -> None:
    segmenter = opened(Dialect().proto(COARSE), tmp_path, fit=Fit(grid="model"))
    batch = noisy(8, 6)
    agree(segmenter(batch), COARSE.scores(batch))


def test_the_models_own_grid_of_a_resized_picture(tmp_path: Path) -> None:
    fit = Fit(grid="model", size=(12, 16))
    segmenter = opened(Dialect().proto(COARSE), tmp_path, fit=fit)
    batch = noisy(9, 7)
    agree(segmenter(batch), COARSE.scores(upsampled(batch, 12, 16)))


# -- several outputs -----------------------------------------------------------------------------


def two_heads(names: tuple[str, str] = ("main", "aux")) -> onnx.ModelProto:
    """The function, and its negative at half the resolution."""
    g = Graph()
    weight, bias = g.constant(CONV.weight, np.float32), g.constant(CONV.bias, np.float32)
    value = g.add("Conv", "image", weight, bias, pads=[1] * 4, output=names[0])
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    g.add("AveragePool", g.add("Neg", value), output=names[1], **pool)
    return g.model(
        {"image": ("float32", ["batch", 3, "height", "width"])},
        {
            names[0]: ("float32", ["batch", 4, "height", "width"]),
            names[1]: ("float32", ["batch", 4, "h", "w"]),
        },
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [("main", "aux"), ("StatefulCall:0", "StatefulCall:1"), ("a/out", "b/out")]
)
def test_each_head_is_certified_apart(
    names: tuple[str, str], tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(two_heads(names), tmp_path / "model.onnx")
    shot = zoo.write_picture(tmp_path / "shot.png", zoo.picture(8, 6, seed=5))
    common = ["certify", path, shot, "--range", "0,1", *QUIET]
    both = onnxcert(*common, "--output", ",".join(names), "--json", "--out", tmp_path / "both")
    assert both.status == 0, both.err
    assert set(both.json["heads"]) == set(names)
    for name in names:
        single = onnxcert(*common, "--output", name, "--out", tmp_path / name.replace("/", "_"))
        assert single.status == 0, single.err
        alone = ResultStore(tmp_path / name.replace("/", "_")).read("shot")
        apart = ResultStore(both.json["heads"][name]["out"]).read("shot")
        assert np.array_equal(alone.tally.hits, apart.tally.hits)
        assert np.array_equal(alone.labels, apart.labels)


@pytest.mark.parametrize("value", [",main", ",", "other,main", "main,", "main,,aux", "main,other"])
def test_heads_that_are_not_there_are_one_sentence_and_nothing_is_run(
    value: str, tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(two_heads(), tmp_path / "model.onnx")
    done, _ = run_of(path, tmp_path, onnxcert, "--output", value, sizes=[(8, 6)])
    lines = [line for line in done.err.splitlines() if line.startswith("onnxcert:")]
    assert (done.status, len(lines)) == (2, 1)
    assert "output" in lines[0]
    assert not (tmp_path / "out").exists()
