"""The contract survives its journey through JSON, and refuses what it does not understand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxcert.errors import ContractError
from onnxcert.model.contract import Contract

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
positive = st.floats(min_value=0.0009765625, max_value=1e6, width=32)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """Any contract that may be."""
    names = draw(st.lists(st.text(min_size=1), max_size=5).filter(lambda v: len(v) != 1))
    low = draw(finite)
    channels = draw(st.sampled_from((0, 1, 3)))
    return Contract(
        input=draw(st.text()),
        output=draw(st.text()),
        value_range=draw(
            st.none() | finite.filter(lambda high: high > low).map(lambda high: (low, high))
        ),
        mean=tuple(draw(st.lists(finite, min_size=channels, max_size=channels))),
        std=tuple(draw(st.lists(positive, min_size=channels, max_size=channels))),
        batch=draw(st.none() | st.integers(1, 64)),
        size=draw(st.none() | st.tuples(st.integers(1, 4096), st.integers(1, 4096))),
        output_form=draw(st.sampled_from(("logits", "probabilities"))),
        classes=len(names) or draw(st.none() | st.integers(2, 1000)),
        class_names=tuple(names),
        trained_sigma=draw(st.none() | st.floats(0, 10)),
    )


@given(contracts())
def test_json_keeps_every_field(contract: Contract) -> None:
    assert Contract.from_json(contract.to_json(), source="a test") == contract


@given(contracts())
def test_what_json_says_has_a_source_and_what_it_leaves_open_has_none(contract: Contract) -> None:
    said = set(json.loads(contract.to_json())) - {"version"}
    assert Contract.from_json(contract.to_json(), source="a test").sources == dict.fromkeys(
        said, "a test"
    )


def test_an_overridden_field_names_who_overrode_it() -> None:
    contract = Contract.from_json('{"version": 1, "mean": [0.5], "std": [0.2]}', source="the file")
    changed = contract.override("given", mean=(0.4, 0.4, 0.4))
    assert changed.mean == (0.4, 0.4, 0.4)
    assert changed.sources == {"mean": "given", "std": "the file"}
    assert contract.mean == (0.5,)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "JSON object"),
        ('"unit"', "JSON object"),
        ("{}", "version None"),
        ('{"version": 2}', "version 2"),
        ('{"version": "1"}', "version '1'"),
        ('{"version": 1, "colour": "red"}', "'colour'"),
        ('{"version": 1, "sources": {}}', "'sources'"),
    ],
)
def test_another_document_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint):
        Contract.from_json(text, source="a test")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input", 3),
        ("output", None),
        ("layout", "NHWC"),
        ("layout", ["NCHW"]),
        ("channel_order", "BGR"),
        ("dtype", "float16"),
        ("output_form", "labels"),
        ("value_range", 255),
        ("value_range", [0]),
        ("value_range", [0, 1, 2]),
        ("value_range", ["0", "1"]),
        ("value_range", [1, 0]),
        ("value_range", [1, 1]),
        ("value_range", [0, float("inf")]),
        ("value_range", [float("nan"), 1]),
        ("mean", 0.5),
        ("mean", "0.5"),
        ("mean", [0.5, 0.5]),
        ("mean", [True, True, True]),
        ("mean", [float("nan")]),
        ("std", [0.2, 0.2, 0.2, 0.2]),
        ("std", [0]),
        ("std", [-1, 1, 1]),
        ("std", [float("inf")]),
        ("batch", 0),
        ("batch", True),
        ("batch", 1.0),
        ("batch", "1"),
        ("size", 8),
        ("size", [8]),
        ("size", [8, 0]),
        ("size", [8, 8.0]),
        ("classes", 1),
        ("classes", 0),
        ("classes", 2.5),
        ("class_names", "sky"),
        ("class_names", ["sky", 1]),
        ("trained_sigma", -0.1),
        ("trained_sigma", "0.25"),
        ("trained_sigma", True),
        ("trained_sigma", float("nan")),
        ("trained_sigma", float("inf")),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(field: str, value: Any) -> None:
    text = json.dumps({"version": 1, field: value})
    with pytest.raises(ContractError) as caught:
        Contract.from_json(text, source="a test")
    message = str(caught.value)
    shown = {"value_range": "value.range", "class_names": "class.names", "classes": "class"}
    assert field in message or shown.get(field, field).replace(".", " ") in message
    assert message.endswith(".")
    assert "\n" not in message


def test_as_many_names_as_classes() -> None:
    with pytest.raises(ContractError, match=r"3 classes but 2 class names"):
        Contract(classes=3, class_names=("sky", "road"))
