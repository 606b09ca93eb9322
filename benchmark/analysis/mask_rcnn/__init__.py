"""The Mask R-CNN of this package, its training and its embedded weights."""

from benchmark.system.light_torchvision import import_torchvision

import_torchvision()
