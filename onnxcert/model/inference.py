"""Find the contract of a model: its metadata and the files beside it, completed by the graph and
overridden by the user.

What the graph says is proposed with its reason. Where two readings are possible, neither is taken:
the error shows the flags for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract import METADATA_KEY, Contract, parsed
from onnxcert.model.graph import ModelFile
from onnxcert.model.input_inference import graph_inputs, with_feeds
from onnxcert.model.other_tasks import refuse_boxes, refuse_image
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.pictures.contradiction import refuse_contradictions
from onnxcert.model.pictures.input_inference import with_input as with_picture
from onnxcert.model.pictures.output_inference import with_output as with_picture_output
from onnxcert.model.pictures.value_range import settled_range
from onnxcert.model.points.contract import PointContract
from onnxcert.model.points.inference import holds_points, with_category, with_points
from onnxcert.model.points.output_inference import with_output as with_point_output
from onnxcert.model.question import OpenFacts, Question
from onnxcert.model.sidecars.carried import Proposal, carried, proposed
from onnxcert.model.tracing import rank

#: Asked in place of questions about named inputs, as long as the input itself is not chosen.
OTHER_INPUT: Final = Question(
    "the other inputs need values; pass --feed NAME=VALUE for each",
    flag="--feed",
    values=("NAME=VALUE",),
    meaning="the value of each input that is not chosen, in every pass",
    answer={"feeds": ()},
)
METADATA = "the file's metadata"
FLAG = "given"
CONTRACTS: Final[dict[str, type[Contract]]] = {
    kind.medium: kind for kind in (PictureContract, PointContract)
}


def infer(
    model: ModelFile,
    given: Mapping[str, Any] | None = None,
    *,
    settle: bool = True,
    thorough: bool = False,
    names: Sequence[str] = (),
) -> Contract:
    """The contract of `model`: its metadata, completed by the graph, overridden by `given`.

    Args:
        model: the file.
        given: fields of the contract by name, as the user gave them; None values are ignored.
        settle: whether a missing value range is asked for, or left open.
        thorough: whether the model is tried on random rows also where its file leaves nothing open.
        names: of classes, where the inputs or the user tell them.

    Raises:
        OpenFacts: fields are missing or ambiguous; it names all of them.
        ContractError: a field is contradictory or not supported.
    """
    said = {name: value for name, value in (given or {}).items() if value is not None}
    for name in ("input", "output"):
        if said.get(name) == "":
            raise ContractError(f"--{name} must be a name, got none; name one of the graph's.")
    questions: list[Question] = []
    contract = None
    while True:
        try:
            contract, left = _inferred(model, said, thorough=thorough, names=names)
            questions += left if settle else []
        except Question as question:
            answer = question.answer
            several = any(earlier.flag == "--input" for earlier in questions)
            questions.append(OTHER_INPUT if "feeds" in answer and several else question)
            if answer and not set(answer) & set(said) - {"feeds"}:
                fed = {"feeds": (*said.get("feeds", ()), *answer.get("feeds", ()))}
                said = {**said, **answer, **(fed if "feeds" in answer else {})}
                continue  # with a provisional answer, to find what else is missing
        except ContractError as error:
            if not questions:
                raise ContractError(f"{model.path}: {error}") from None
        break
    if questions:
        raise OpenFacts(model.path, questions, contract)
    assert contract is not None
    return contract


def _inferred(
    model: ModelFile, said: Mapping[str, Any], *, thorough: bool, names: Sequence[str]
) -> tuple[Contract, list[Question]]:
    """Return the contract, and the question about the value range if no source gives it."""
    text = model.metadata.get(METADATA_KEY)
    graph = model.proto.graph
    kind = _kind(text, said, graph)
    known = {field.name for field in fields(kind)}
    if foreign := sorted(set(said) - known):
        raise ContractError(
            f"{foreign[0].replace('_', ' ')} means nothing for a model of {_NOUNS[kind.medium]}"
            "; leave it out."
        )
    written = kind() if text is None else kind.from_json(text, source=METADATA)
    # How many numbers these are is checked once the number of channels is known.
    late = {name: said[name] for name in ("mean", "std") if name in said}
    contract = written.override(FLAG, **{k: v for k, v in said.items() if k not in late})
    if "output_form" not in contract.sources:
        refuse_boxes(model.proto)
    if isinstance(contract, PointContract):
        contract = with_category(with_points(contract, graph), graph)
        contract = with_feeds(contract, graph, made=(contract.category_input,))
        return with_point_output(contract, model.proto, thorough=thorough), []
    assert isinstance(contract, PictureContract)
    proposal = _carried(model, written, said)
    contract = with_picture(proposal.early(contract), graph).override(FLAG, **late)
    contract = with_feeds(proposal.late(contract), graph)
    contract = with_picture_output(contract, model.proto, thorough=thorough)
    refuse_image(contract, model, names)
    try:
        contract = settled_range(contract)
    except Question as question:
        return contract, [question]
    refuse_contradictions(contract, graph)
    return contract, []


def _carried(model: ModelFile, written: Contract, said: Mapping[str, Any]) -> Proposal:
    """Return what metadata of other programs and files beside the model add to the contract."""
    found = carried(model)
    if "output_form" not in {*written.sources, *said}:
        found.refuse_task()
    return proposed(written.sources, said, found.claims)


def medium(model: ModelFile, given: Mapping[str, Any]) -> str:
    """What a model takes, `picture` or `points`; `given` as for `infer`.

    Raises:
        ContractError: its file says neither.
    """
    said = {name: value for name, value in given.items() if value is not None}
    try:
        return _kind(model.metadata.get(METADATA_KEY), said, model.proto.graph).medium
    except ContractError as error:
        raise ContractError(f"{model.path}: {error}") from None


def stored(model: ModelFile, field: str) -> bool:
    """Whether the contract in the file says anything about `field`."""
    text = model.metadata.get(METADATA_KEY)
    return text is not None and field in parsed(text)


_NOUNS: Final = {"picture": "pictures", "points": "points"}


def _kind(text: str | None, said: Mapping[str, Any], graph: onnx.GraphProto) -> type[Contract]:
    """What kind of input the model takes: as its file says, by the axes of its inputs, or by what
    was given for it."""
    if text is not None:
        medium = parsed(text)["medium"]
        if not isinstance(medium, str) or medium not in CONTRACTS:
            raise ContractError(
                f"the contract's medium must be {' or '.join(CONTRACTS)}, got {medium!r}."
            )
        return CONTRACTS[medium]
    fed = {name for name, _ in said.get("feeds", ())}
    free = [i for i in graph_inputs(graph) if i.name not in fed]
    named = [i for i in free if i.name == said.get("input")]
    ranks = {rank(value) for value in named or free}
    if any(holds_points(value) for value in named or free) and not ranks & {4, None}:
        return PointContract
    fields_of = {kind: {f.name for f in fields(kind)} for kind in CONTRACTS.values()}
    shared = set.intersection(*fields_of.values())
    told = [kind for kind, own in fields_of.items() if set(said) & (own - shared)]
    if len(told) == 1 and 4 not in ranks:
        return told[0]  # only a model of this kind has such a field
    return PointContract if 3 in ranks and not ranks & {4, None} else PictureContract
