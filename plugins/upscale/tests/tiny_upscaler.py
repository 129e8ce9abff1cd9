"""A StableDiffusionUpscalePipeline in miniature, with random weights: its pictures show nothing, but all code runs."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    StableDiffusionUpscalePipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

HIDDEN = 32


def save(folder: Path) -> Path:
    """Write one to ``folder``."""
    torch.manual_seed(0)
    pipeline = StableDiffusionUpscalePipeline(
        # Three blocks: the factor of 4 between latents, which are as large as the small picture, and the large one.
        vae=AutoencoderKL(
            block_out_channels=[32] * 3,
            in_channels=3,
            out_channels=3,
            down_block_types=["DownEncoderBlock2D"] * 3,
            up_block_types=["UpDecoderBlock2D"] * 3,
            latent_channels=4,
            layers_per_block=1,
            scaling_factor=0.08333,
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=2,
                hidden_size=HIDDEN,
                intermediate_size=37,
                num_attention_heads=4,
                num_hidden_layers=1,
                vocab_size=3,
            )
        ),
        tokenizer=_tokenizer(folder),
        unet=UNet2DConditionModel(
            block_out_channels=(32, 64),
            layers_per_block=1,
            sample_size=32,
            in_channels=7,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=HIDDEN,
            num_class_embeds=1000,
        ),
        low_res_scheduler=DDPMScheduler(),
        scheduler=DDIMScheduler(prediction_type="v_prediction"),
        max_noise_level=350,
    )
    pipeline.save_pretrained(folder)
    return folder


def _tokenizer(folder: Path) -> CLIPTokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({"a</w>": 0, "<|startoftext|>": 1, "<|endoftext|>": 2}), encoding="utf-8")
    merges.write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)
