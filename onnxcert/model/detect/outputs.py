"""Detect form and classes of the output that holds the prediction, for any modality."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import ASSUMED, LARGEST, AnyContract, Contract
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.answer import TRIAL, OutputAxes, read_output_axes
from onnxcert.model.detect.class_count import classes_before_argmax
from onnxcert.model.detect.task_and_layout import LABEL_TYPES, with_layout, with_task
from onnxcert.model.detect.trial_passes import Trial
from onnxcert.model.detect.values import GRAPH, fill_missing, select_value, source_label
from onnxcert.model.graph.tracing import (
    Axes,
    deciding_maker,
    describe,
    element_type,
    lengths,
    producers,
    rank,
)

SCORE_TYPES: Final = ("float32", "float16", "float64", "undefined")
# Operators whose output is probabilities; tree ensembles give shares of votes.
_PROBABILITIES: Final = (
    "Softmax",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "TreeEnsemble",
)


def with_output(
    contract: AnyContract, proto: onnx.ModelProto, *, thorough: bool = False
) -> AnyContract:
    """Return `contract` with the output fields that the graph gives; see `read_output_axes`."""
    outputs = list(proto.graph.output)
    # If an output has an axis of components, outputs without them are by-products.
    full = [o for o in outputs if rank(o) in (None, *(r for r in contract.ranks if r > 2))]
    value = select_value(
        "output",
        contract.output,
        outputs,
        full or [o for o in outputs if rank(o) in (1, 2)],
        contract,
    )
    name, kind = value.name, element_type(value)
    if kind not in (*SCORE_TYPES, *LABEL_TYPES):
        raise ContractError(
            f"the output {name!r} must hold scores or class indices, got {kind}; select another "
            "output with --output."
        )

    def complete(contract: AnyContract, answer: OutputAxes) -> AnyContract:
        return _complete(contract, proto, name, kind, answer)

    return read_output_axes(contract, proto, value, complete, thorough=thorough)


def _complete(
    contract: AnyContract, proto: onnx.ModelProto, name: str, kind: str, answer: OutputAxes
) -> AnyContract:
    """Return `contract` with rank, task, layout, form and classes of its output.

    Args:
        contract: Contract whose inputs are complete.
        proto: The model.
        name: The output.
        kind: Its element type.
        answer: Its axes, and its values in a trial pass if there was one.

    Raises:
        ContractError: A field is missing, ambiguous or contradictory.
    """
    many = answer.rank
    if many is None and "output_rank" not in contract.sources and kind in LABEL_TYPES:
        raise ContractError(
            f"the graph does not give the number of axes of the output {name!r}; export it with "
            "its shape."
        )
    last = producers(proto.graph).get(name)
    by_node = 2 if last is not None and last.op_type in ("Gemm", "Flatten") else max(contract.ranks)
    contract = fill_missing(contract, {"output": name, "output_rank": many or by_node}, GRAPH)
    if many not in (None, contract.output_rank):
        raise ContractError(
            f"the contract says {contract.output_rank} axes but the output {name!r} has {many} "
            f"{describe(answer.shape)}; correct the contract."
        )
    contract = with_task(contract, name, kind, answer)
    contract = with_layout(contract, proto.graph, name, answer)
    channels = _count_channels(contract, answer.shape)
    contract = _with_form(contract, proto.graph, name, kind, channels, answer.trial)
    if contract.threshold is not None and not contract.binary:
        raise ContractError(
            f"a threshold has no meaning for an output of {contract.output_form}; leave out "
            "--threshold, or pass --output-form sigmoid, logit or multilabel."
        )
    return _with_classes(contract, proto, kind, channels, answer)


def _count_channels(contract: Contract, shape: Axes | None) -> int | None:
    """Return the number of channels of the output, or None if unknown."""
    full = max(contract.ranks)
    if contract.answer_rank < (2 if contract.classifies else full):
        return 1
    last = contract.answer_rank == full and contract.channels_last
    return None if shape is None else lengths(shape)[full - 1 if last else 1]


def _with_form(
    contract: AnyContract,
    graph: onnx.GraphProto,
    name: str,
    kind: str,
    channels: int | None,
    trial: Trial | None,
) -> AnyContract:
    """Return `contract` with the form of its output; arguments as for `_complete`."""
    maker = deciding_maker(graph, name)
    ending = maker.op_type if maker is not None else ""
    sigmoids = ending in ("Sigmoid", "HardSigmoid") and channels != 1
    if "output_form" in contract.sources:
        form = contract.output_form
        if sigmoids and form in ("logits", "probabilities"):
            raise ContractError(
                f"the output {name!r} ends in a sigmoid for each class: its labels do not exclude "
                "each other, so the largest score is not the prediction; pass --output-form "
                "multilabel."
            )
        if form in ("sigmoid", "logit", "labels") and channels not in (1, None):
            raise ContractError(
                f"the output {name!r} has {channels} channels but a {form} output has one; pass "
                "--output-form logits or --output-form multilabel.",
                alternatives=[("--output-form", "logits"), ("--output-form", "multilabel")],
            )
        if form == "multilabel" and not sigmoids and contract.threshold is None:
            raise MissingSetting(
                f"the output {name!r} does not end in a sigmoid, so its threshold may be 0 or 0.5; "
                "pass --threshold 0 for logits or --threshold 0.5 for probabilities.",
                flag="--threshold",
                values=("0", "0.5"),
                meaning="the score above which a label is yes: 0 for logits, 0.5 for probabilities",
                answer={"threshold": 0.0},
            )
        if form in ("logits", "probabilities") and channels == 1:
            raise ContractError(
                f"the output {name!r} has one channel but {form} need one per class; pass "
                "--output-form logit or --output-form sigmoid.",
                alternatives=[("--output-form", "logit"), ("--output-form", "sigmoid")],
            )
        return contract
    if kind in LABEL_TYPES:
        if channels not in (1, None):
            raise MissingSetting(
                f"the output {name!r} holds {channels} whole numbers ({kind}) but one class index "
                "was expected; pass --output-form logits if they are scores, or select another "
                "output with --output.",
                flag="--output-form",
                values=("logits",),
                meaning=f"what the {channels} integers of {name!r} are (logits: scores of classes)",
                answer={"output_form": "logits"},
            )
        return fill_missing(contract, {"output_form": "labels"}, f"{GRAPH}: {kind} values")
    if channels == 1:
        if ending == "Sigmoid":
            return fill_missing(
                contract, {"output_form": "sigmoid"}, f"{GRAPH}: it ends in Sigmoid"
            )
        raise _one_channel(name, trial)
    if sigmoids:
        raise MissingSetting(
            f"the output {name!r} ends in a sigmoid for each class: its labels do not exclude each "
            "other, so the largest score is not the prediction; pass --output-form multilabel, or "
            "export scores of exclusive classes.",
            flag="--output-form",
            values=("multilabel",),
            meaning=f"each channel of {name!r} is an independent label, yes or no",
            answer={"output_form": "multilabel"},
        )
    if ending in _PROBABILITIES:
        return fill_missing(
            contract, {"output_form": "probabilities"}, f"{GRAPH}: it ends in {ending}"
        )
    return fill_missing(contract, {"output_form": "logits"}, ASSUMED)


def _one_channel(name: str, trial: Trial | None) -> MissingSetting:
    """Return the question about one channel, without forms that its values in a trial exclude."""
    values = None if trial is None else np.asarray(trial.answer, dtype=np.float64)
    whole = values is None or bool((values == np.rint(values)).all() and values.min() >= 0)
    share = values is None or bool(0 <= values.min() <= values.max() <= 1)
    forms = {"logit": "a logit"}
    if share:
        forms["sigmoid"] = "a probability"
    if whole:
        forms["labels"] = "class indices"
    kinds, flags = list(forms.values()), [f"--output-form {form}" for form in forms]
    if len(forms) == 1:
        sentence = (
            f"nothing tells what the one channel of the output {name!r} is; pass {flags[0]} if "
            "it is a logit, or select another output with --output."
        )
    else:
        sentence = (
            f"the output {name!r} has one channel, which may be {', '.join(kinds[:-1])} or "
            f"{kinds[-1]}; pass {', '.join(flags[:-1])} or {flags[-1]}."
        )
    meaning = f"what the one channel of {name!r} is: {' or '.join(kinds)}"
    if "labels" in forms:
        meaning += " (labels with --classes NUMBER)"
    return MissingSetting(
        sentence,
        flag="--output-form",
        values=list(forms),
        meaning=meaning,
        answer={"output_form": "logit"},
    )


def _with_classes(
    contract: AnyContract,
    proto: onnx.ModelProto,
    kind: str,
    channels: int | None,
    answer: OutputAxes,
) -> AnyContract:
    """Return `contract` with the number of its classes; arguments as for `_complete`."""
    name = contract.output
    found: dict[str, Any] = {}
    if contract.binary:
        return contract.override(GRAPH, classes=2)  # no and yes, for any names of the labels
    if contract.output_form == "labels":
        yes_or_no = 2 if kind == "bool" else None
        counted = classes_before_argmax(proto, name, contract.answer_rank)
        if counted and len(contract.class_names) > counted:
            raise ContractError(
                f"{source_label(contract, 'class_names')} names {len(contract.class_names)} "
                f"classes but the output {name!r} selects from {counted}; correct the one that is "
                "wrong."
            )
        classes = len(contract.class_names) or counted or yes_or_no
        if contract.classes is None and not classes:
            raise MissingSetting(
                f"the output {name!r} holds class indices but nothing tells how many classes there "
                "are; pass --classes NUMBER.",
                flag="--classes",
                values=("NUMBER",),
                meaning=f"the number of classes of the class indices in {name!r}",
                answer={"classes": 2},
            )
        found["classes"] = classes or contract.classes
    elif channels is not None:
        if channels > LARGEST:
            raise ContractError(
                f"the output {name!r} has {channels} classes, more than {LARGEST}; select another "
                "output with --output."
            )
        found["classes"] = channels
    for field, value in found.items():
        current = getattr(contract, field)
        if current not in (None, value) and contract.output_form != "labels":
            raise ContractError(
                f"{source_label(contract, field)} says {current} classes but the output {name!r} "
                f"has {value}; correct the one that is wrong."
            )
    return fill_missing(contract, found, GRAPH if answer.trial is None else TRIAL)
