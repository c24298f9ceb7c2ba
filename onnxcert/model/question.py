"""Facts about a model that nothing tells, and the flags that tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from onnxcert.errors import ContractError
from onnxcert.model.contract import Contract


class Question(ContractError):
    """One fact that is open.

    Attributes:
        flag: the option that tells it.
        values: what may be given; a word in capitals stands for what nobody can guess. Empty for an
            option without a value.
        meaning: of the fact, in half a line.
        answer: fields of the contract to go on with, so that the next question is found.
    """

    def __init__(
        self,
        sentence: str,
        *,
        flag: str = "",
        values: Sequence[str] = (),
        meaning: str = "",
        answer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.flag, self.values, self.meaning = flag, tuple(values), meaning
        self.answer = dict(answer or {})

    @property
    def offered(self) -> str:
        """The option with each of its values, as a message shows them."""
        *others, last = [f"{self.flag} {value}" for value in self.values] or [self.flag]
        return f"{', '.join(others)} or {last}" if others else last


@final
class OpenFacts(ContractError):
    """Everything that is open about one model, in one message.

    Attributes:
        path: of the model.
        questions: one or more.
        contract: as it would be with the questions' own answers, or None where these lead nowhere.
    """

    def __init__(
        self, path: Path | str, questions: Sequence[Question] = (), contract: Contract | None = None
    ) -> None:
        self.path, self.questions, self.contract = Path(path), tuple(questions), contract
        said = "; and ".join(str(question).rstrip(".") for question in self.questions)
        super().__init__(f"{path}: {said}.")

    @property
    def sentence(self) -> str:
        """What to give, in short where it is several things."""
        if len(self.questions) == 1:
            return str(self)
        offered = [question.offered for question in self.questions]
        return (
            f"{self.path}: {len(offered)} things that change the answer are said by nothing; pass "
            f"{', '.join(offered[:-1])}, and {offered[-1]}."
        )

    @property
    def fields(self) -> frozenset[str]:
        """Fields of the contract that are open."""
        return frozenset(name for question in self.questions for name in question.answer)

    def with_questions(self, *more: Question) -> OpenFacts:
        """The same with further questions."""
        return OpenFacts(self.path, (*self.questions, *more), self.contract)
