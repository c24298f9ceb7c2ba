"""Names that options take, written out, so that --help and completion load no other library.

The registries decide what exists; `tests/cli/test_options.py` compares these names with them.
"""

from __future__ import annotations

from typing import Final

CORRECTIONS: Final = ("bonferroni", "holm", "kfwer", "kfwer-stepdown", "benjamini-yekutieli")
PROCEDURES: Final = ("segcertify", "indivclass", "jointclass", "predict")
SPENDING: Final = ("equal", "pocock", "obrien-fleming")
PERTURBATIONS: Final = ("gaussian", "rotation")
IMAGE_DATASETS: Final = (
    *("folder", "imagefolder", "camvid", "cityscapes", "pascal-voc", "pascal-context"),
    *("pascal-context-59", "ade20k"),
)
CLOUD_DATASETS: Final = ("clouds", "shapenet-part")
LABEL_MAPS: Final = ("cityscapes", "pascal-context-59", "ade20k")
CHANNEL_ORDERS: Final = ("RGB", "BGR", "RGBA", "BGRA", "GRAY", "BANDS")
POINT_CHANNELS: Final = ("xyz", "xyz+normals", "xyz+features", "xyz+normals+features")
OUTPUT_FORMS: Final = ("logits", "probabilities", "sigmoid", "logit", "multilabel", "labels")
