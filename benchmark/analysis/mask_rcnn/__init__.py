"""The Mask R-CNN of this package, its training and its embedded weights."""
