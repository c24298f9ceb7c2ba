"""Detect the contract of a model from its metadata, files beside it, the graph and the user.

The user overrides the metadata; the graph adds the fields that are missing. If the graph allows two
values, neither is taken: the error shows the flags for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.contract.question import MissingSetting, MissingSettings
from onnxcert.model.detect.image_inputs import with_input as with_image_input
from onnxcert.model.detect.other_tasks import refuse_boxes, refuse_image
from onnxcert.model.detect.outputs import with_output
from onnxcert.model.detect.point_inputs import holds_points, with_category, with_points
from onnxcert.model.detect.value_range import refuse_contradictions, with_value_range
from onnxcert.model.detect.values import graph_inputs, with_feeds
from onnxcert.model.graph.file import ModelFile
from onnxcert.model.graph.tracing import rank
from onnxcert.model.sidecars.settings import merge_settings

#: Replaces questions about named further inputs while the main input is not selected.
OTHER_INPUT: Final = MissingSetting(
    "the other inputs need values; pass --feed NAME=VALUE for each",
    flag="--feed",
    values=("NAME=VALUE",),
    meaning="the value of each input that is not selected, in every pass",
    answer={"feeds": ()},
)
FLAG: Final = "given"


def detect(
    model: ModelFile,
    given: Mapping[str, Any] | None = None,
    *,
    require_range: bool = True,
    thorough: bool = False,
    names: Sequence[str] = (),
) -> Contract:
    """Detect the contract of `model`: its metadata, completed by the graph, overridden by `given`.

    Args:
        model: The file.
        given: Fields of the contract that the user gave, by name; None values are ignored.
        require_range: Whether a missing value range is an error.
        thorough: Whether to run the model on random rows even if its file is complete.
        names: Class names from the inputs or the user.

    Raises:
        MissingSettings: Fields are missing or ambiguous; the error names all of them.
        ContractError: A field is contradictory or not supported.
    """
    requested = {name: value for name, value in (given or {}).items() if value is not None}
    for name in ("input", "output"):
        if requested.get(name) == "":
            raise ContractError(f"--{name} must not be empty; give the name of an {name}.")
    questions: list[MissingSetting] = []
    contract = None
    while True:
        written = read_stated(model, requested)
        try:
            contract, left = _detect(model, written, requested, thorough=thorough, names=names)
            questions += left if require_range else []
        except MissingSetting as question:
            answer = question.answer
            several = any(earlier.flag == "--input" for earlier in questions)
            questions.append(OTHER_INPUT if "feeds" in answer and several else question)
            if answer and not set(answer) & set(requested) - {"feeds"}:
                fed = {"feeds": (*requested.get("feeds", ()), *answer.get("feeds", ()))}
                requested = {**requested, **answer, **(fed if "feeds" in answer else {})}
                continue  # with a provisional value, to find further missing fields
        except ContractError as error:
            if not questions:
                text = f"{model.path}: {error}"
                raise ContractError(text, alternatives=error.alternatives) from None
        break
    if questions:
        raise MissingSettings(model.path, questions, contract)
    assert contract is not None
    return contract


def _detect(
    model: ModelFile,
    written: Contract,
    requested: Mapping[str, Any],
    *,
    thorough: bool,
    names: Sequence[str],
) -> tuple[Contract, list[MissingSetting]]:
    """Return the contract, and the question about the value range if no source gives it."""
    graph = model.proto.graph
    if foreign := sorted(set(requested) - {field.name for field in fields(written)}):
        raise ContractError(
            f"{foreign[0].replace('_', ' ')} has no meaning for a model of "
            f"{written.modality.inputs}; leave it out."
        )
    # How many numbers these are can be checked only when the number of channels is known.
    late = {name: requested[name] for name in ("mean", "std") if name in requested}
    contract = written.override(FLAG, **{k: v for k, v in requested.items() if k not in late})
    if "output_form" not in contract.sources:
        refuse_boxes(model.proto)
    if isinstance(contract, PointContract):
        contract = with_category(with_points(contract, graph), graph)
        contract = with_feeds(contract, graph, derived=(contract.category_input,))
        return with_output(contract, model.proto, thorough=thorough), []
    assert isinstance(contract, ImageContract)
    if "output_form" not in contract.sources:
        model.sidecars.refuse_task()
    proposal = merge_settings(written.sources, requested, model.sidecars.sources)
    contract = with_image_input(proposal.early(contract), graph).override(FLAG, **late)
    contract = with_feeds(proposal.late(contract), graph)
    contract = with_output(contract, model.proto, thorough=thorough)
    refuse_image(contract, model, names)
    try:
        contract = with_value_range(contract)
    except MissingSetting as question:
        return contract, [question]
    refuse_contradictions(contract, graph)
    return contract, []


def read_stated(model: ModelFile, given: Mapping[str, Any]) -> Contract:
    """Return the contract in the file; if it has none, an empty one of the model's modality.

    The axes of the graph's inputs, or the fields `given`, show the modality.

    Raises:
        ContractError: The contract in the file is not valid.
    """
    if model.written is not None:
        return model.written
    requested = {name for name, value in given.items() if value is not None}
    fed = {name for name, _ in given.get("feeds") or ()}
    free = [i for i in graph_inputs(model.proto.graph) if i.name not in fed]
    named = [i for i in free if i.name == given.get("input")] or free
    ranks = {rank(value) for value in named}
    image, points = ({f.name for f in fields(kind)} for kind in (ImageContract, PointContract))
    by_image, by_points = bool(requested & (image - points)), bool(requested & (points - image))
    if any(map(holds_points, named)) and not ranks & {4, None}:
        return PointContract()
    if by_image != by_points and 4 not in ranks:
        return PointContract() if by_points else ImageContract()
    return PointContract() if 3 in ranks and not ranks & {4, None} else ImageContract()
