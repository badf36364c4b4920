"""Random changes of training images, on bytes: the network trains on what it could be given.

Everything is drawn from one generator of the processor, so that all devices see the same changes, and computed a
batch at a time where the images are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from bnncore.formats.recipe import Augmentation

__all__ = ["Augmenter"]


class Augmenter:
    """Draw batches of changed images.

    Args:
        images: uint8 [N, height, width] or [N, height, width, channels], all of the training images.
        augmentation: what may change, and by how much.
        generator: of every random number; its state is the whole state of this object.
        device: what computes, and keeps all of the images.
    """

    def __init__(
        self,
        images: Tensor,
        augmentation: Augmentation,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
    ) -> None:
        self._options, self._generator, self._device = augmentation, generator, device
        self._grey = images.dim() == 3
        images = images[..., None] if self._grey else images
        self._height, self._width = images.shape[1:3]
        # Mirrored edges, made once: a shifted image is then a plain cut.
        self._margin = min(augmentation.shift, self._height - 1, self._width - 1)
        rows = _mirrored(self._height, self._margin)
        columns = _mirrored(self._width, self._margin)
        padded = images[:, rows][:, :, columns].contiguous() if self._margin else images
        self._padded = padded.to(device)
        warping = (augmentation.rotate, augmentation.scale, augmentation.shear, augmentation.elastic)
        self._warps = any(warping)
        self._recolours = any(
            (augmentation.brightness, augmentation.contrast, augmentation.colour, augmentation.noise)
        )

    def batch(self, indices: Tensor) -> Tensor:
        """Return uint8 images on the device for int64 [B] indices, each changed at random."""
        options = self._options
        images = self._cut(self._placed(indices))
        if self._warps:
            images = self._warp(images)
        if self._recolours:
            images = self._recolour(images)
        if options.cutout:
            images = self._cut_out(images)
        return images[..., 0] if self._grey else images

    def _placed(self, drawn: Tensor) -> Tensor:
        # Nothing waits for what a GPU still has to do.
        return drawn.to(self._device, non_blocking=True)

    def _uniform(self, *shape: int) -> Tensor:
        return self._placed(torch.rand(*shape, generator=self._generator))

    def _normal(self, *shape: int) -> Tensor:
        return self._placed(torch.randn(*shape, generator=self._generator))

    def _offsets(self, count: int) -> Tensor:
        return self._placed(torch.randint(2 * self._margin + 1, (count, 1), generator=self._generator))

    def _signed(self, *shape: int) -> Tensor:
        return self._uniform(*shape) * 2 - 1

    def _cut(self, indices: Tensor) -> Tensor:
        """Shift, mirror and transpose by choosing which rows and columns to copy."""
        count, options = len(indices), self._options
        rows = torch.arange(self._height, device=self._device).expand(count, -1)
        columns = torch.arange(self._width, device=self._device).expand(count, -1)
        if options.flip_vertical:
            rows = torch.where(self._uniform(count, 1) < 0.5, rows.flip(1), rows)
        if options.flip_horizontal:
            columns = torch.where(self._uniform(count, 1) < 0.5, columns.flip(1), columns)
        if self._margin:
            rows = rows + self._offsets(count)
            columns = columns + self._offsets(count)
        images = self._padded[indices[:, None, None], rows[:, :, None], columns[:, None, :]]
        if options.transpose:
            swap = self._uniform(count, 1, 1, 1) < 0.5
            images = torch.where(swap, images.transpose(1, 2), images)
        return images

    def _warp(self, images: Tensor) -> Tensor:
        """Rotate, scale, shear and displace, bilinearly, in one resampling."""
        count, options = len(images), self._options
        angle = self._signed(count) * math.radians(options.rotate)
        scale = 1 + self._signed(count) * options.scale
        shear = self._signed(count) * options.shear
        cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
        matrix = torch.zeros(count, 2, 3, device=self._device)
        matrix[:, 0, 0], matrix[:, 0, 1] = cos, shear - sin
        matrix[:, 1, 0], matrix[:, 1, 1] = sin, cos
        grid = functional.affine_grid(matrix, [count, 1, self._height, self._width], align_corners=False)
        if options.elastic:
            coarse = self._normal(count, 2, 4, 4)
            smooth = functional.interpolate(
                coarse, size=(self._height, self._width), mode="bicubic", align_corners=True
            )
            unit = self._placed(torch.tensor([2 / self._width, 2 / self._height])) * options.elastic
            grid = grid + smooth.permute(0, 2, 3, 1) * unit
        planes = images.permute(0, 3, 1, 2).float()
        warped = functional.grid_sample(planes, grid, padding_mode="border", align_corners=False)
        return warped.permute(0, 2, 3, 1).round_().clamp_(0, 255).to(torch.uint8)

    def _recolour(self, images: Tensor) -> Tensor:
        count, options = len(images), self._options
        values = images.float()
        if options.contrast:
            mean = values.mean(dim=(1, 2, 3), keepdim=True)
            factor = 1 + self._signed(count, 1, 1, 1) * options.contrast
            values = (values - mean) * factor + mean
        if options.colour:
            values = values * (1 + self._signed(count, 1, 1, values.shape[3]) * options.colour)
        if options.brightness:
            values = values + self._signed(count, 1, 1, 1) * (options.brightness * 255)
        if options.noise:
            spread = options.noise * 255
            values = values + self._normal(*values.shape) * spread
        return values.round_().clamp_(0, 255).to(torch.uint8)

    def _cut_out(self, images: Tensor) -> Tensor:
        """Make one square of each image grey; it may hang over the edge."""
        count, half = len(images), self._options.cutout / 2
        row = self._uniform(count, 1, 1) * self._height
        column = self._uniform(count, 1, 1) * self._width
        rows = torch.arange(self._height, device=self._device)[:, None] + 0.5
        columns = torch.arange(self._width, device=self._device)[None] + 0.5
        inside = ((rows - row).abs() < half) & ((columns - column).abs() < half)
        return images.masked_fill(inside[..., None], 128)


def _mirrored(length: int, margin: int) -> Tensor:
    """Return the indices of a line with mirrored ends: 2 1 | 0 1 2 3 | 2 1."""
    positions = torch.arange(-margin, length + margin).abs()
    last = length - 1
    return last - (last - positions).abs()
