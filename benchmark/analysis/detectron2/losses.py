"""Detectron2's training losses of Mask R-CNN, of chosen anchors and regions.

He et al., "Mask R-CNN" (ICCV 2017), section 3, and Ren et al., "Faster R-CNN" (NeurIPS 2015),
equation 1, with the normalisations of Detectron2's settings for R50-FPN:

- objectness and proposal loss are sums over the chosen anchors, divided by the number of anchors
  that may be chosen (256 per image), also where there are fewer;
- distances of deltas are absolute differences (smooth L1 with beta 0), summed over those on
  objects; the box loss is divided by the number of all chosen regions;
- class and mask loss are means, over the regions and over the cells of the regions on objects.

It differs from the training of the published Cityscapes checkpoint in one point: mask targets are
cut from masks of pixels, as Detectron2 does with `INPUT.MASK_FORMAT: bitmask`, not from polygons.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import roi_align

from benchmark.analysis.detectron2.heads import BOX_WEIGHTS, Heads
from benchmark.analysis.detectron2.proposals import PROPOSAL_WEIGHTS, Predicted
from benchmark.analysis.detectron2.sampling import ANCHORS, AnchorSample, RegionSample
from benchmark.analysis.targets import Objects

_INSIDE = 0.5


def proposal_losses(
    predicted: Sequence[Predicted], anchors: Tensor, chosen: Sequence[AnchorSample]
) -> dict[str, Tensor]:
    """Return objectness and proposal loss.

    Args:
        predicted: for all anchors of N images, by level.
        anchors: A x 4, all those of an image.
        chosen: those that count, of each image.
    """
    logits = torch.cat([level.logits for level in predicted], dim=1)
    deltas = torch.cat([level.deltas for level in predicted], dim=1)
    objectness, distance = logits.new_zeros(()), logits.new_zeros(())
    for its_logits, its_deltas, its in zip(logits, deltas, chosen, strict=True):
        wanted = logits.new_zeros(len(its.indices))
        wanted[: len(its.boxes)] = 1
        objectness = objectness + functional.binary_cross_entropy_with_logits(
            its_logits[its.indices], wanted, reduction="sum"
        )
        on_object = its.indices[: len(its.boxes)]
        wanted = _deltas(anchors[on_object], its.boxes, PROPOSAL_WEIGHTS)
        distance = distance + (its_deltas[on_object] - wanted).abs().sum()
    most = ANCHORS * len(chosen)
    return {"objectness": objectness / most, "proposal": distance / most}


def region_losses(
    heads: Heads,
    levels: Sequence[Tensor],
    regions: Sequence[RegionSample],
    targets: Sequence[Objects],
) -> dict[str, Tensor]:
    """Return class, box and mask loss.

    Args:
        heads: compute what is compared.
        levels: features N x 256 x H/s x W/s of the strides s = 4, 8, 16, 32.
        regions: those that count, of each of the N images.
        targets: the objects of each image.
    """
    logits, deltas = heads.classify(levels, [its.boxes for its in regions])
    classes = torch.cat([its.classes for its in regions])
    on_object = (classes < heads.classes).nonzero()[:, 0]
    boxes = [its.boxes[: len(its.objects)] for its in regions]
    pairs = list(zip(regions, targets, strict=True))
    matched = torch.cat([target.boxes[its.objects] for its, target in pairs])
    found = deltas.unflatten(1, (-1, 4))[on_object, classes[on_object]]
    distance = (found - _deltas(torch.cat(boxes), matched, BOX_WEIGHTS)).abs().sum()
    masks = heads.mask_logits(levels, boxes, classes[on_object])
    wanted = torch.cat([_mask_targets(its, target, masks.shape[-1]) for its, target in pairs])
    of_masks = functional.binary_cross_entropy_with_logits(masks, wanted, reduction="sum")
    return {
        "class": functional.cross_entropy(logits, classes),
        "box": distance / max(len(classes), 1),
        "mask": of_masks / max(masks.numel(), 1),
    }


def _deltas(boxes: Tensor, wanted: Tensor, weights: tuple[float, float, float, float]) -> Tensor:
    """N x 4: what moves and stretches boxes (N x 4) to the wanted ones."""
    sides, wanted_sides = boxes[:, 2:] - boxes[:, :2], wanted[:, 2:] - wanted[:, :2]
    centres, wanted_centres = boxes[:, :2] + 0.5 * sides, wanted[:, :2] + 0.5 * wanted_sides
    shift, growth = (wanted_centres - centres) / sides, torch.log(wanted_sides / sides)
    return torch.cat([shift, growth], dim=1) * boxes.new_tensor(weights)


def _mask_targets(regions: RegionSample, target: Objects, cells: int) -> Tensor:
    """P x cells x cells: 1 where the object of a region covers half of a cell, else 0."""
    numbers = regions.objects
    if not len(numbers):
        return regions.boxes.new_zeros(0, cells, cells)
    boxes = torch.cat([numbers[:, None].to(regions.boxes), regions.boxes[: len(numbers)]], dim=1)
    covered = roi_align(target.masks[:, None].to(boxes), boxes, cells, 1.0, 0, aligned=True)[:, 0]
    return (covered >= _INSIDE).to(boxes)
