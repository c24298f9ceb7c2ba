"""Detect the contract of a model from its metadata, files beside it, the graph and the user.

The user overrides the metadata; the graph adds the fields that are missing. If the graph allows two
values, neither is taken: the error shows the flags for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import METADATA_KEY, Contract, parse_json
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.contract.question import MissingSetting, MissingSettings
from onnxcert.model.detect.contradiction import refuse_contradictions
from onnxcert.model.detect.image_inputs import with_input as with_image_input
from onnxcert.model.detect.image_outputs import with_output as with_image_output
from onnxcert.model.detect.inputs import graph_inputs, with_feeds
from onnxcert.model.detect.other_tasks import refuse_boxes, refuse_image
from onnxcert.model.detect.point_inputs import holds_points, with_category, with_points
from onnxcert.model.detect.point_outputs import with_output as with_point_output
from onnxcert.model.detect.value_range import with_value_range
from onnxcert.model.graph.file import ModelFile
from onnxcert.model.graph.tracing import rank
from onnxcert.model.sidecars.carried import Proposal, merge_settings, read_sidecars

#: Replaces questions about named further inputs while the main input is not selected.
OTHER_INPUT: Final = MissingSetting(
    "the other inputs need values; pass --feed NAME=VALUE for each",
    flag="--feed",
    values=("NAME=VALUE",),
    meaning="the value of each input that is not selected, in every pass",
    answer={"feeds": ()},
)
METADATA = "the file's metadata"
FLAG = "given"
CONTRACTS: Final[dict[str, type[Contract]]] = {
    kind.modality: kind for kind in (ImageContract, PointContract)
}


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
        OpenFacts: Fields are missing or ambiguous; the error names all of them.
        ContractError: A field is contradictory or not supported.
    """
    requested = {name: value for name, value in (given or {}).items() if value is not None}
    for name in ("input", "output"):
        if requested.get(name) == "":
            raise ContractError(f"--{name} must not be empty; give the name of an {name}.")
    questions: list[MissingSetting] = []
    contract = None
    while True:
        try:
            contract, left = _detect(model, requested, thorough=thorough, names=names)
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
                raise ContractError(f"{model.path}: {error}") from None
        break
    if questions:
        raise MissingSettings(model.path, questions, contract)
    assert contract is not None
    return contract


def _detect(
    model: ModelFile, requested: Mapping[str, Any], *, thorough: bool, names: Sequence[str]
) -> tuple[Contract, list[MissingSetting]]:
    """Return the contract, and the question about the value range if no source gives it."""
    text = model.metadata.get(METADATA_KEY)
    graph = model.proto.graph
    kind = _contract_type(text, requested, graph)
    known = {field.name for field in fields(kind)}
    if foreign := sorted(set(requested) - known):
        raise ContractError(
            f"{foreign[0].replace('_', ' ')} has no meaning for a model of {_NOUNS[kind.modality]}"
            "; leave it out."
        )
    written = kind() if text is None else kind.from_json(text, source=METADATA)
    # How many numbers these are can be checked only when the number of channels is known.
    late = {name: requested[name] for name in ("mean", "std") if name in requested}
    contract = written.override(FLAG, **{k: v for k, v in requested.items() if k not in late})
    if "output_form" not in contract.sources:
        refuse_boxes(model.proto)
    if isinstance(contract, PointContract):
        contract = with_category(with_points(contract, graph), graph)
        contract = with_feeds(contract, graph, derived=(contract.category_input,))
        return with_point_output(contract, model.proto, thorough=thorough), []
    assert isinstance(contract, ImageContract)
    proposal = _read_proposal(model, written, requested)
    contract = with_image_input(proposal.early(contract), graph).override(FLAG, **late)
    contract = with_feeds(proposal.late(contract), graph)
    contract = with_image_output(contract, model.proto, thorough=thorough)
    refuse_image(contract, model, names)
    try:
        contract = with_value_range(contract)
    except MissingSetting as question:
        return contract, [question]
    refuse_contradictions(contract, graph)
    return contract, []


def _read_proposal(model: ModelFile, written: Contract, requested: Mapping[str, Any]) -> Proposal:
    """Return the fields that metadata of other programs and files beside the model give."""
    found = read_sidecars(model)
    if "output_form" not in {*written.sources, *requested}:
        found.refuse_task()
    return merge_settings(written.sources, requested, found.sources)


def detect_modality(model: ModelFile, given: Mapping[str, Any]) -> str:
    """Detect the modality of a model, `picture` or `points`; `given` as for `detect`.

    Raises:
        ContractError: The contract in the file has an unknown modality.
    """
    requested = {name: value for name, value in given.items() if value is not None}
    try:
        return _contract_type(
            model.metadata.get(METADATA_KEY), requested, model.proto.graph
        ).modality
    except ContractError as error:
        raise ContractError(f"{model.path}: {error}") from None


def file_gives(model: ModelFile, field: str) -> bool:
    """Return whether the contract in the file gives `field`."""
    text = model.metadata.get(METADATA_KEY)
    return text is not None and field in parse_json(text)


_NOUNS: Final = {"picture": "images", "points": "points"}


def _contract_type(
    text: str | None, requested: Mapping[str, Any], graph: onnx.GraphProto
) -> type[Contract]:
    """Return the contract type: by the file, the axes of the inputs, or the fields given."""
    if text is not None:
        medium = parse_json(text)["medium"]
        if not isinstance(medium, str) or medium not in CONTRACTS:
            raise ContractError(
                f"the contract's medium must be {' or '.join(CONTRACTS)}, got {medium!r}."
            )
        return CONTRACTS[medium]
    fed = {name for name, _ in requested.get("feeds", ())}
    free = [i for i in graph_inputs(graph) if i.name not in fed]
    named = [i for i in free if i.name == requested.get("input")]
    ranks = {rank(value) for value in named or free}
    if any(holds_points(value) for value in named or free) and not ranks & {4, None}:
        return PointContract
    fields_of = {kind: {f.name for f in fields(kind)} for kind in CONTRACTS.values()}
    shared = set.intersection(*fields_of.values())
    matching = [kind for kind, own in fields_of.items() if set(requested) & (own - shared)]
    if len(matching) == 1 and 4 not in ranks:
        return matching[0]  # only this contract type has the given field
    return PointContract if 3 in ranks and not ranks & {4, None} else ImageContract
