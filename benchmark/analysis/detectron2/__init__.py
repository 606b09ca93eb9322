"""Detectron2's Mask R-CNN R50-FPN, read from its checkpoints."""
