"""Detectron2's Mask R-CNN R50-FPN, read from its checkpoints."""

from benchmark.system.light_torchvision import import_torchvision

import_torchvision()
