"""Tell the class that a data set's category names, whatever it calls it."""

from __future__ import annotations

import re

_MOTORCYCLISTS = ("motorcyclist", "motorcyclists")
SYNONYMS: dict[str, tuple[str, ...]] = {
    "person": ("persons", "people", "pedestrian", "pedestrians", "human", "humans"),
    "rider": ("riders", "cyclist", "cyclists", "bicyclist", "bicyclists", *_MOTORCYCLISTS),
    "car": ("cars", "automobile", "automobiles"),
    "truck": ("trucks", "lorry", "lorries"),
    "bus": ("buses", "busses"),
    "train": ("trains", "tram", "trams"),
    "motorcycle": ("motorcycles", "motorbike", "motorbikes", "motor bike", "motor"),
    "bicycle": ("bicycles", "bike", "bikes"),
}
"""What data sets call Cityscapes' classes, in lower case: BDD100K has pedestrian and motor, Pascal
VOC motorbike, Mapillary Vistas bicyclist and motorcyclist; trams are trains by Cityscapes'
definition of its classes."""

_CLASSES = {name: known for known, others in SYNONYMS.items() for name in (known, *others)}


def class_of(name: str) -> str | None:
    """Return the name that Cityscapes gives a class; None for a class that it does not have.

    Letter case does not matter, nor do spaces, hyphens and underscores around and between words.
    """
    return _CLASSES.get(" ".join(re.split(r"[\s_-]+", name.casefold())).strip())
