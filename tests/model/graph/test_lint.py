"""What makes votes depend on each other or on unseeded chance is refused by its node's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from refusals import one_sentence

from onnxcert import OnnxSegmenter
from onnxcert.errors import ContractError, ModelError
from onnxcert.model.graph.lint import lint

TRAPS: dict[str, tuple[onnx.ModelProto, str, str]] = {
    "batchnorm": (graphs.training_batchnorm(), "the_BatchNormalization", "evaluation mode"),
    "batchnorm before opset 14": (
        graphs.old_training_batchnorm(),
        "the_BatchNormalization",
        "evaluation mode",
    ),
    "dropout": (graphs.dropout(training=True), "the_Dropout", "evaluation mode"),
    "in a branch": (graphs.random_in_a_branch(), "the_RandomNormalLike", "no seed"),
    "in a function": (graphs.random_in_a_function(), "the_RandomUniformLike", "no seed"),
    **{
        operator: (graphs.random_operator(operator), f"the_{operator}", "no seed")
        for operator in graphs.RANDOM_OPERATORS
    },
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_refused_by_the_name_of_its_node(tmp_path: Path, trap: str) -> None:
    proto, name, why = TRAPS[trap]
    with one_sentence(ModelError) as caught:
        OnnxSegmenter.open(graphs.save(proto, tmp_path / "model.onnx"), threads=1)
    message = str(caught.value)
    assert name in message
    assert why in message
    assert "export" in message


def test_a_switch_to_training_mode_must_be_said_and_is_refused_when_on(tmp_path: Path) -> None:
    path = graphs.save(graphs.dropout(training="is_training"), tmp_path / "model.onnx")
    with pytest.raises(ContractError, match=r"'is_training' \[\] bool.*--feed is_training=VALUE"):
        OnnxSegmenter.open(path, threads=1)
    with pytest.raises(ModelError, match=r"'the_Dropout'.*at random.*export it again"):
        OnnxSegmenter.open(path, threads=1, feeds=(("is_training", 1),))


def test_a_switch_to_training_mode_that_is_off_is_sound(tmp_path: Path) -> None:
    path = graphs.save(graphs.dropout(training="is_training"), tmp_path / "model.onnx")
    segment = OnnxSegmenter.open(path, threads=1, feeds=(("is_training", 0),))
    sound = OnnxSegmenter.open(
        graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "sound.onnx"), threads=1
    )
    batch = np.random.default_rng(0).normal(0.5, 0.3, (4, 3, 6, 5)).astype(np.float32)
    assert np.array_equal(segment(batch), sound(batch))


def test_a_node_without_a_name_is_named_by_its_output(tmp_path: Path) -> None:
    proto = graphs.random_operator("RandomNormalLike")
    for node in proto.graph.node:
        node.name = ""
    with pytest.raises(ModelError, match="'noise'"):
        OnnxSegmenter.open(graphs.save(proto, tmp_path / "model.onnx"), threads=1)


def test_several_errors_are_told_in_one_sentence(tmp_path: Path) -> None:
    proto = graphs.random_operator("RandomNormalLike")
    proto.graph.node.insert(0, onnx.helper.make_node("RandomUniform", [], ["unused"], shape=[1]))
    with pytest.raises(ModelError, match=r"and 1 more"):
        OnnxSegmenter.open(graphs.save(proto, tmp_path / "model.onnx"), threads=1)


@pytest.mark.parametrize(
    "proto",
    [graphs.conv(), graphs.threshold(), graphs.softmax(), graphs.dropout(training=False)],
    ids=["conv", "threshold", "softmax", "dropout that is off"],
)
def test_nothing_is_found_in_a_sound_model(proto: onnx.ModelProto) -> None:
    assert lint(proto) == ()


def test_evaluation_mode_batchnorm_is_sound() -> None:
    proto = graphs.training_batchnorm()
    batchnorm = next(n for n in proto.graph.node if n.op_type == "BatchNormalization")
    del batchnorm.attribute[:]
    del batchnorm.output[1:]
    assert lint(proto) == ()


def test_dynamic_quantisation_is_a_warning_and_runs(tmp_path: Path) -> None:
    segment = OnnxSegmenter.open(
        graphs.save(graphs.dynamically_quantised(), tmp_path / "model.onnx"), threads=1
    )
    (finding,) = segment.findings
    assert finding.severity == "warning"
    assert "the_DynamicQuantizeLinear" in finding.node
    assert "whole batch" in finding.message


def test_inspect_prints_all_it_knows_and_then_refuses(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(graphs.training_batchnorm(), tmp_path / "model.onnx")
    outcome = onnxcert("inspect", path)
    assert "cannot be certified" in outcome.refusal
    assert "error" in outcome.out
    assert "the_BatchNormalization" in outcome.out
