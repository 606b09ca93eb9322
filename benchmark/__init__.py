"""A benchmark of image codecs for machines: bits per pixel against Mask R-CNN's accuracy."""
