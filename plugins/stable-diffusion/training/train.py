"""Train tron/shapes on a CPU, in two stages: `train.py autoencoder`, then `train.py diffusion`.

Both write into one folder, which is a model of diffusers when they are done; see README.md.
"""

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch.nn import functional
from transformers import CLIPTextModel

import models
from draw import SIDE, Rng, arrange, draw, random_caption
from tron_plugin_stable_diffusion.vocabulary import Caption

SEED: Final = 20251125
CROP: Final = 48
LATENT_NOISE: Final = 0.1
"""Added before decoding, so that the decoder forgives what the diffusion model leaves inexact."""
DROPPED_CAPTIONS: Final = 0.1
"""Share of captions that are emptied, so that the model also learns what guidance leads away from."""
COMPASS_WEIGHT: Final = 1.0
LOOSE_CAPTIONS: Final = 0.2
"""Share of captions that lose an article or gain an unknown word, so that neither confuses the model."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=("autoencoder", "diffusion"))
    parser.add_argument("--out", type=Path, default=Path("build/shapes"), help="folder of the model")
    parser.add_argument("--steps", type=int, help="default: 3000 and 5000")
    parser.add_argument("--batch", type=int, help="default: 32 and 64")
    parser.add_argument("--pictures", type=int, default=48_000, help="drawn once, for the stage diffusion")
    parser.add_argument("--resume", action="store_true", help="go on with the weights in --out")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    # More threads wait for each other longer than they compute: the parts are small.
    torch.set_num_threads(1)
    if options.stage == "autoencoder":
        train_autoencoder(options.out, options.steps or 3000, options.batch or 32, options.resume)
    else:
        steps, batch = options.steps or 5000, options.batch or 64
        train_diffusion(options.out, steps, batch, options.pictures, options.resume)


def train_autoencoder(folder: Path, steps: int, batch: int, resume: bool) -> None:
    """On crops, which are cheap and full of edges; there is nothing in the model that depends on the size.

    To resume is to train the decoder alone, so that latents stay what a diffusion model has learned.
    """
    rng = np.random.default_rng(SEED + resume)
    vae = AutoencoderTiny.from_pretrained(folder / "vae").train() if resume else models.autoencoder()
    vae.encoder.requires_grad_(not resume)
    vae.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=0, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    log = Log("autoencoder", steps)
    for step in range(steps):
        pictures = as_tensor(_crops(rng, batch))
        _set_rate(optimizer, step, steps, 2e-3)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            latents = vae.encoder(pictures)
            drawn = vae.decoder(latents + LATENT_NOISE * torch.randn_like(latents))
        difference = functional.l1_loss(drawn.float(), pictures)
        size = latents.float().square().mean()
        _descend(optimizer, difference + 1e-3 * size, vae)
        log.add(step, difference=difference, size=size)
        if step % 500 == 499:
            vae.save_pretrained(folder / "vae")
    if not resume:
        _measure_latents(vae, rng)
    vae.save_pretrained(folder / "vae")


def _measure_latents(vae: AutoencoderTiny, rng: Rng) -> None:
    """Write into the configuration by what latents are multiplied to have a deviation of one."""
    with torch.no_grad():
        means = vae.encode(as_tensor(draw(_scenes(rng, 256)))).latents
    vae.register_to_config(scaling_factor=round(1 / float(means.std()), 4))
    print("latents: mean by channel", means.mean(dim=(0, 2, 3)).tolist(), "deviation", float(means.std()))


def _scenes(rng: Rng, count: int) -> list[Any]:
    return [arrange(random_caption(rng), rng) for _ in range(count)]


def _crops(rng: Rng, count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Squares cut from pictures, each with some edge of a shape in it; two a picture."""
    scenes = _scenes(rng, count // 2)
    crops = []
    for scene, picture in zip(scenes, draw(scenes), strict=True):
        for _ in range(2):
            shape = scene.shapes[rng.integers(len(scene.shapes))]
            middle = np.array([shape.y, shape.x]) + rng.uniform(-0.5, 0.5, size=2) * (shape.extent + 16)
            top, left = np.clip(middle - CROP / 2, 0, SIDE - CROP).astype(int)
            crops.append(picture[top : top + CROP, left : left + CROP])
    return np.stack(crops)


def train_diffusion(folder: Path, steps: int, batch: int, pictures: int, resume: bool) -> None:
    """The text encoder and the U-Net together, on latents that are computed once."""
    rng = np.random.default_rng(SEED + 1)
    vae = AutoencoderTiny.from_pretrained(folder / "vae").to(memory_format=torch.channels_last)
    data = encode_pictures(vae, rng, pictures)
    unet, text_encoder, scheduler = models.unet(), models.text_encoder(), models.scheduler()
    if resume:
        unet = UNet2DConditionModel.from_pretrained(folder / "unet").train()
        text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", attn_implementation="eager").train()
    unet.set_attn_processor(AttnProcessor())  # plain matrix products, which bfloat16 speeds up most
    trained = torch.nn.ModuleList((unet, text_encoder))
    average = Average(trained)
    compass = Compass(unet)
    optimizer = torch.optim.AdamW(
        [*trained.parameters(), *compass.parameters()], lr=0, betas=(0.9, 0.99), weight_decay=0.01, fused=True
    )
    log = Log("diffusion", steps)
    for step, (latents, tokens) in zip(range(steps), data.batches(rng, batch), strict=False):
        _set_rate(optimizer, step, steps, 1e-3)
        noise = torch.randn_like(latents)
        times = _random_times(len(latents), scheduler.config.num_train_timesteps)
        target = scheduler.get_velocity(latents, noise, times)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            text = text_encoder(tokens)[0]
            guess = unet(scheduler.add_noise(latents, noise, times), times, text, return_dict=False)[0]
        loss, lost = functional.mse_loss(guess.float(), target), compass.loss(directions_of(tokens))
        _descend(optimizer, loss + COMPASS_WEIGHT * lost, trained)
        average.add(step)
        log.add(step, loss=loss, lost=lost)
        if step % 500 == 499 or step == steps - 1:
            save_pipeline(folder, vae, *average.model)


def _random_times(count: int, steps: int) -> torch.Tensor:
    """Rather late than early: what is drawn where is decided while there is much noise."""
    return (torch.rand(count) ** 0.6 * steps).long()


def save_pipeline(folder: Path, vae: Any, unet: Any, text_encoder: Any) -> None:
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=models.tokenizer(),
        unet=unet,
        scheduler=models.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


@dataclass(frozen=True)
class Latents:
    """Pictures as the autoencoder sees them (half precision, scaled), each with its caption."""

    values: torch.Tensor
    captions: list[Caption]

    def batches(self, rng: Rng, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Latents and tokens, without end; each picture once before any comes again."""
        while True:
            order = rng.permutation(len(self.captions))
            for start in range(0, len(order) - size + 1, size):
                chosen = order[start : start + size]
                tokens = [caption_tokens(self.captions[index], rng) for index in chosen]
                yield self.values[torch.from_numpy(chosen)].float(), torch.tensor(tokens)


def encode_pictures(vae: AutoencoderTiny, rng: Rng, count: int) -> Latents:
    """Draw `count` pictures and encode them."""
    captions = [random_caption(rng) for _ in range(count)]
    log = Log("latents", count)
    parts = []
    for start in range(0, count, 64):
        pictures = as_tensor(draw([arrange(caption, rng) for caption in captions[start : start + 64]]))
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            latents = vae.encode(pictures).latents
        parts.append((latents.float() * vae.config.scaling_factor).half())
        log.add(start)
    return Latents(torch.cat(parts), captions)


def caption_tokens(caption: Caption, rng: Rng) -> list[int]:
    """The token ids of a caption; a share of captions is emptied or loosened (see above)."""
    if rng.random() < DROPPED_CAPTIONS:
        return pad([])
    ids = [models.IDS[word] for word in str(caption).split()]
    if rng.random() < LOOSE_CAPTIONS:
        if rng.random() < 0.5:
            article = models.IDS["a"]
            ids = [token for token in ids if token != article or rng.random() < 0.5]
        else:
            ids.insert(int(rng.integers(len(ids) + 1)), models.UNKNOWN)
    return pad(ids)


def pad(ids: list[int]) -> list[int]:
    ids = [models.START, *ids[: models.MOST_TOKENS - 2], models.END]
    return ids + [models.PAD] * (models.MOST_TOKENS - len(ids))


def as_tensor(pictures: np.ndarray[Any, np.dtype[np.uint8]]) -> torch.Tensor:
    """RGB bytes to the range -1 to 1, channels first by name and last in memory."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


class Compass(torch.nn.Module):
    """Makes the U-Net's features tell where in the picture they are, and how far that is in the caption's direction.

    Used in training only. Without it, the model learns everything else long before it tells left from right and up
    from down: it has no embedding of positions (only the padding at the edges tells them apart), and what a direction
    means is the product of a position and a word, towards which no first step of gradient descent leads.
    """

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self._seen: list[torch.Tensor] = []
        down = unet.down_blocks[-1]
        parts = (down.resnets[-1], down.attentions[-1], unet.mid_block, unet.up_blocks[0].attentions[-1])
        # Each tells row, column and distance; but the first, which no word has reached yet, only the place.
        self._heads = torch.nn.ModuleList(
            torch.nn.Conv2d(unet.config.block_out_channels[-1], 2 if index == 0 else 3, 1)
            for index in range(len(parts))
        )
        for part in parts:
            part.register_forward_hook(self._keep)

    def _keep(self, module: torch.nn.Module, inputs: Any, features: Any) -> None:
        self._seen.append(features[0] if isinstance(features, tuple) else features)

    def loss(self, directions: torch.Tensor) -> torch.Tensor:
        """How far off what can be read from the features of the last pass is; `directions` are of (row, column)."""
        losses = []
        for head, features in zip(self._heads, self._seen, strict=True):
            rows, columns = (torch.linspace(-1, 1, length) for length in features.shape[2:])
            places = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).expand(len(features), -1, -1, -1)
            distances = (places * directions[:, :, None, None]).sum(dim=1, keepdim=True)
            told = head(features.float())
            losses.append(functional.mse_loss(told, torch.cat((places, distances), dim=1)[:, : told.shape[1]]))
        self._seen.clear()
        return torch.stack(losses).mean()


def directions_of(tokens: torch.Tensor) -> torch.Tensor:
    """For each caption in which direction, as (row, column), its only or its first shape lies; zero where unsaid."""

    def said(*words: str) -> torch.Tensor:
        return torch.isin(tokens, torch.tensor([models.IDS[word] for word in words])).any(dim=1).float()

    return torch.stack((said("below", "bottom") - said("above", "top"), said("right") - said("left")), dim=1)


class Average:
    """The moving average of a model's weights, which draws better than the weights of any one step."""

    def __init__(self, trained: torch.nn.ModuleList, decay: float = 0.999) -> None:
        self._trained = trained
        self._decay = decay
        self.model = torch.nn.ModuleList((models.unet(), models.text_encoder())).requires_grad_(False).eval()
        self.model.load_state_dict(trained.state_dict())

    def add(self, step: int) -> None:
        decay = min(self._decay, (step + 1) / (step + 10))
        with torch.no_grad():
            kept, new = list(self.model.parameters()), list(self._trained.parameters())
            torch._foreach_lerp_(kept, new, 1 - decay)


class Log:
    """Prints the mean of what was added since the last line, and the time a step takes."""

    def __init__(self, name: str, steps: int, every: float = 20.0) -> None:
        self._name, self._steps, self._every = name, steps, every
        self._started = self._last = time.monotonic()
        self._sums: dict[str, list[float]] = {}
        self._last_step = -1

    def add(self, step: int, **values: torch.Tensor) -> None:
        for name, value in values.items():
            self._sums.setdefault(name, []).append(float(value.detach()))
        now = time.monotonic()
        if now - self._last < self._every and step < self._steps - 1:
            return
        means = " ".join(f"{name}={sum(sums) / len(sums):.5f}" for name, sums in self._sums.items())
        pace = (now - self._last) / max(1, step - self._last_step)
        print(f"{self._name} {step + 1}/{self._steps} {now - self._started:.0f}s {pace:.3f}s/step {means}", flush=True)
        self._last, self._last_step = now, step
        self._sums.clear()


def _set_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, highest: float) -> None:
    """A short rise, then half a cosine down to a fiftieth."""
    rise = min(1.0, (step + 1) / 100)
    fall = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps))
    for group in optimizer.param_groups:
        group["lr"] = highest * rise * fall


def _descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor, trained: torch.nn.Module) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
    optimizer.step()


if __name__ == "__main__":
    main()
