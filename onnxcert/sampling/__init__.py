"""From an input to its tally: perturb, run the model, count votes.

`sample` runs all draws of a `Count`. `count_part` runs some draws on any worker, and `Count.absorb`
adds their counts.
"""

from onnxcert.sampling.batches import check_output, on_device, run_draws
from onnxcert.sampling.count import Count
from onnxcert.sampling.hits import Hits
from onnxcert.sampling.leak_check import ONE_DRAW, BatchLeak, LeakCheck
from onnxcert.sampling.part import Part, count_part
from onnxcert.sampling.sample import sample

__all__ = [
    "ONE_DRAW",
    "BatchLeak",
    "Count",
    "Hits",
    "LeakCheck",
    "Part",
    "check_output",
    "count_part",
    "on_device",
    "run_draws",
    "sample",
]
