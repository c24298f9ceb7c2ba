"""Models of a version that nobody here reads: what they have, what is supported, what to do."""

from __future__ import annotations

import re
from pathlib import Path

import graphs
import onnx
import onnxruntime
import pytest
from onnx import helper
from refusals import one_sentence

from onnxcert import OnnxSegmenter
from onnxcert.errors import ModelError

VERSION = re.escape(onnxruntime.__version__)


def with_opset(version: int, domain: str = "") -> onnx.ModelProto:
    """A model of this opset, whose operators are in it."""
    operator = f"{domain}.Scaler<scale = [1.0]>" if domain else "Identity"
    proto = graphs.conv(contract=graphs.UNIT_RANGE, tail=f"scores = {operator}(raw)")
    if domain:
        proto.opset_import.append(helper.make_opsetid(domain, version))
    else:
        proto.opset_import[0].version = version
    return proto


def with_ir(version: int) -> onnx.ModelProto:
    proto = graphs.conv(contract=graphs.UNIT_RANGE)
    proto.ir_version = version
    return proto


def with_operator(name: str) -> onnx.ModelProto:
    return graphs.conv(contract=graphs.UNIT_RANGE, tail=f"[late] scores = {name}(raw)")


def in_double() -> onnx.ModelProto:
    """Types that the operator has, and ONNX Runtime does not implement on a CPU."""
    return graphs.conv(
        contract=graphs.UNIT_RANGE,
        tail="""
            wide = Cast<to = 11>(raw)
            [late] far = LRN<size = 3>(wide)
            scores = Cast<to = 1>(far)
        """,
    )


@pytest.mark.parametrize(
    ("proto", "sentence"),
    [
        (with_ir(99), rf"has IR version 99, and ONNX Runtime {VERSION} reads up to \d+; save it"),
        (
            with_opset(99),
            rf"opset 99 of ai\.onnx, and ONNX Runtime {VERSION} supports up to (\d+); export it "
            r"with opset \1, or install",
        ),
        (
            with_opset(99, "ai.onnx.ml"),
            rf"opset 99 of ai\.onnx\.ml, and ONNX Runtime {VERSION} supports up to \d+; export it",
        ),
        (with_opset(0), "has opset 0 but 1 or more was expected"),
        (with_opset(-5), "has opset -5 but 1 or more was expected"),
        (with_operator("Gelu"), f"Gelu is not in opset 17, .* of ONNX Runtime {VERSION}; export"),
        (with_operator("Erfc"), "Erfc is not in opset 17"),
        (with_operator("Upsample"), "Upsample is no longer in opset 17, .*; export it again"),
        (in_double(), "no operator LRN for the types of the node 'late'; export"),
    ],
)
def test_what_is_too_new_is_named_with_what_is_supported(
    proto: onnx.ModelProto, sentence: str, tmp_path: Path
) -> None:
    path = graphs.save(proto, tmp_path / "model.onnx")
    with one_sentence(ModelError, match=sentence) as caught:
        OnnxSegmenter.open(path, threads=1)
    said = str(caught.value)
    assert str(path) in said
    assert not re.search(r"\.(cc|h):\d", said)
