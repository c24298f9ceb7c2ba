"""Workers: processes that run a model for the driver, on this machine or on a cluster.

The driver reads inputs, decides and writes results. A worker opens the model once and executes
`Task`s. Draw i is a pure function of seed, input and i, and counts of disjoint draws add up. So it
does not matter which worker counts a draw, or how many attempts it takes: the result is that of one
process, bit for bit.
"""

from onnxcert.workers.course import Course
from onnxcert.workers.crew import Crew
from onnxcert.workers.dispatch import Dispatch
from onnxcert.workers.task import Answers, clean_labels
from onnxcert.workers.worker import Opening

__all__ = ["Answers", "Course", "Crew", "Dispatch", "Opening", "clean_labels"]
