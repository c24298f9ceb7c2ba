"""The categories of the ShapeNet part benchmark and the parts of each.

Yi et al., A Scalable Active Framework for Region Annotation in 3D Shape Collections, SIGGRAPH Asia
2016. The benchmark numbers its 50 parts without names; these names describe what each number marks.
"""

from __future__ import annotations

from typing import Final

_PARTS: Final = {
    "Airplane": ("body", "wing", "tail", "engine"),
    "Bag": ("handle", "body"),
    "Cap": ("crown", "visor"),
    "Car": ("roof", "hood", "wheel", "body"),
    "Chair": ("back", "seat", "leg", "armrest"),
    "Earphone": ("earcup", "headband", "wire"),
    "Guitar": ("head", "neck", "body"),
    "Knife": ("blade", "handle"),
    "Lamp": ("base", "shade", "mount", "pole"),
    "Laptop": ("keyboard", "screen"),
    "Motorbike": ("tank", "seat", "wheel", "handlebar", "light", "frame"),
    "Mug": ("handle", "cup"),
    "Pistol": ("barrel", "grip", "trigger"),
    "Rocket": ("body", "fin", "nose"),
    "Skateboard": ("wheel", "deck", "truck"),
    "Table": ("top", "leg", "drawer"),
}

#: The names of the 50 parts, in the order of their numbers.
SHAPENET_PART_NAMES: Final = tuple(
    f"{category.lower()} {part}" for category, parts in _PARTS.items() for part in parts
)

#: Numbers of the parts by category, in the usual order of the one-hot input of models.
SHAPENET_PARTS: Final[dict[str, tuple[int, ...]]] = {
    category: tuple(
        number
        for number, name in enumerate(SHAPENET_PART_NAMES)
        if name.startswith(f"{category.lower()} ")
    )
    for category in _PARTS
}
