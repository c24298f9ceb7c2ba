"""What stands under the table of a run."""

from __future__ import annotations

from onnxcert.report.tables.abstention import describe_inputs, describe_run
from onnxcert.report.tables.summary import Summary


def under_table(summary: Summary, *, per_class: bool = False) -> str:
    """What abstains and why, then the guarantee in one line, then its exact wording."""
    parts = [describe_run(summary.abstentions, summary.inputs)]
    if per_class and len(summary.abstentions) > 1:
        parts.append("\n".join(describe_inputs(summary.abstentions)))
    return "\n\n".join(filter(None, [*parts, summary.sentence, summary.statement]))
