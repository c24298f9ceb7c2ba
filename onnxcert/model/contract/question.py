"""Missing settings of a model, and the flags that set them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import Contract


class MissingSetting(ContractError):
    """One missing setting.

    Attributes:
        flag: The option that sets it.
        values: Possible values; a word in capitals is a placeholder for a value that cannot be
            guessed. Empty for an option without a value.
        meaning: Meaning of the setting, in half a line.
        answer: Provisional fields of the contract, to find the next missing setting.
        example: Example of a value, if any other value may be meant, too.
    """

    def __init__(
        self,
        sentence: str,
        *,
        flag: str = "",
        values: Sequence[str] = (),
        meaning: str = "",
        answer: Mapping[str, Any] | None = None,
        example: str = "",
    ) -> None:
        each = (*values, *([example] if example else []))
        super().__init__(sentence, alternatives=[(flag, value) for value in each])
        self.flag, self.values, self.meaning = flag, tuple(values), meaning
        self.answer = dict(answer or {})

    @property
    def offered(self) -> str:
        """The option with each of its values, as messages show them."""
        *others, last = [f"{self.flag} {value}" for value in self.values] or [self.flag]
        return f"{', '.join(others)} or {last}" if others else last


@final
class MissingSettings(ContractError):
    """All settings that one model still needs, in one message.

    Attributes:
        path: The model file.
        questions: The missing settings, one or more.
        contract: Contract with the provisional values, or None if they give no contract.
    """

    def __init__(
        self,
        path: Path | str,
        questions: Sequence[MissingSetting] = (),
        contract: Contract | None = None,
    ) -> None:
        self.path, self.questions, self.contract = Path(path), tuple(questions), contract
        sentences = "; and ".join(str(question).rstrip(".") for question in self.questions)
        only = self.questions[0].alternatives if len(self.questions) == 1 else ()
        super().__init__(f"{path}: {sentences}.", alternatives=only)

    @property
    def sentence(self) -> str:
        """The message, in short form if several settings are missing."""
        if len(self.questions) == 1:
            return str(self)
        offered = [question.offered for question in self.questions]
        return (
            f"{self.path}: {len(offered)} settings that change the prediction are missing; pass "
            f"{', '.join(offered[:-1])}, and {offered[-1]}."
        )

    @property
    def fields(self) -> frozenset[str]:
        """The fields of the contract that are missing."""
        return frozenset(name for question in self.questions for name in question.answer)

    def with_questions(self, *more: MissingSetting) -> MissingSettings:
        """Return a copy with further questions."""
        return MissingSettings(self.path, (*self.questions, *more), self.contract)
