"""Pictures of unfinished latents, without decoding them: each latent pixel becomes one pixel, by a linear map.

The map is fitted to what the model's own VAE makes of plain colours, so that it fits any VAE of any number of channels.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from PIL import Image

_PLAIN_SIDE = 64
"""Pixels of a plain picture; it becomes few latents, whose middle is taken."""
_SHADES = (-1.0, 0.0, 1.0)
"""Of each colour, in the range of a VAE."""


class Previews:
    """Makes previews with a VAE (an AutoencoderKL or AutoencoderTiny of diffusers); fits the map at the first one."""

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._map: Any = None

    def picture(self, latents: Any) -> Image.Image:
        """The first of ``latents`` (N, channels, height, width), as small as they are."""
        if self._map is None:
            self._map = self._fit()
        rows = latents[0].detach().float().cpu().permute(1, 2, 0)
        with_one = torch.cat([rows, torch.ones_like(rows[..., :1])], dim=-1)
        colours = (with_one @ self._map).clamp(-1, 1)
        return Image.fromarray(((colours + 1) * 127.5).round().to(torch.uint8).numpy(), "RGB")

    def _fit(self) -> Any:
        """The least-squares map from a latent (and a one) to red, green and blue."""
        colours = torch.tensor(list(itertools.product(_SHADES, repeat=3)))
        dtype = next(self._vae.parameters()).dtype
        overflows = self._vae.config.force_upcast and dtype != torch.float32
        if overflows:
            self._vae.to(dtype=torch.float32)
        latents = torch.stack([self._latent(colour) for colour in colours])
        if overflows:
            self._vae.to(dtype=dtype)
        with_one = torch.cat([latents, torch.ones_like(latents[:, :1])], dim=-1)
        return torch.linalg.lstsq(with_one, colours).solution

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _latent(self, colour: Any) -> Any:
        parameter = next(self._vae.parameters())
        plain = colour.to(parameter.device, parameter.dtype).view(1, 3, 1, 1).expand(1, 3, _PLAIN_SIDE, _PLAIN_SIDE)
        encoded = self._vae.encode(plain)
        # An AutoencoderTiny gives latents, every other VAE what they are distributed like.
        made = (encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode())[0]
        shift = getattr(self._vae.config, "shift_factor", None) or 0.0
        middle = made[:, made.shape[1] // 2, made.shape[2] // 2].float().cpu()
        return (middle - shift) * self._vae.config.scaling_factor
