"""Settings of a model that no source gives, and the flags that give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from onnxcert.errors import ContractError
from onnxcert.model.contract import Contract


class Question(ContractError):
    """One missing setting.

    Attributes:
        flag: the option that sets it.
        values: the possible values; a word in capitals is a placeholder for a value that cannot be
            guessed. Empty for an option without a value.
        meaning: of the setting, in half a line.
        answer: provisional fields of the contract, with which the next missing setting is found.
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
        """Return the option with each of its values, as messages show them."""
        *others, last = [f"{self.flag} {value}" for value in self.values] or [self.flag]
        return f"{', '.join(others)} or {last}" if others else last


@final
class OpenFacts(ContractError):
    """All settings that one model still needs, in one message.

    Attributes:
        path: of the model.
        questions: one or more.
        contract: the contract with the provisional answers, or None if they give no contract.
    """

    def __init__(
        self, path: Path | str, questions: Sequence[Question] = (), contract: Contract | None = None
    ) -> None:
        self.path, self.questions, self.contract = Path(path), tuple(questions), contract
        said = "; and ".join(str(question).rstrip(".") for question in self.questions)
        super().__init__(f"{path}: {said}.")

    @property
    def sentence(self) -> str:
        """Return the message, in short form if several settings are missing."""
        if len(self.questions) == 1:
            return str(self)
        offered = [question.offered for question in self.questions]
        return (
            f"{self.path}: {len(offered)} settings that change the answer are missing; pass "
            f"{', '.join(offered[:-1])}, and {offered[-1]}."
        )

    @property
    def fields(self) -> frozenset[str]:
        """Return the fields of the contract that are missing."""
        return frozenset(name for question in self.questions for name in question.answer)

    def with_questions(self, *more: Question) -> OpenFacts:
        """Return a copy with further questions."""
        return OpenFacts(self.path, (*self.questions, *more), self.contract)
