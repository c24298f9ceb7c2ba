"""From an input to its tally: perturb, run the model, count votes.

`sample` runs all draws of a `Count`. `count_part` runs some draws on any worker, and `Count.absorb`
adds their counts.
"""

from onnxcert.sampling.count import Count
from onnxcert.sampling.hits import Hits, Part
from onnxcert.sampling.leak_check import ONE_DRAW, BatchLeak, LeakCheck
from onnxcert.sampling.protocol import Segmenter, as_segmenter
from onnxcert.sampling.sample import check_output, count_part, run_draws, sample

__all__ = [
    "ONE_DRAW",
    "BatchLeak",
    "Count",
    "Hits",
    "LeakCheck",
    "Part",
    "Segmenter",
    "as_segmenter",
    "check_output",
    "count_part",
    "run_draws",
    "sample",
]
