"""Real pipelines of diffusers in miniature: tiny configurations with random weights, saved as folders.

Their pictures show nothing, but all of the libraries' code runs, in a fraction of a second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

HIDDEN = 32
"""Width of the text encoders; an SDXL has two of them."""


def stable_diffusion(folder: Path, *, seed: int = 0) -> Path:
    """A Stable Diffusion 1."""
    torch.manual_seed(seed)
    pipeline = StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_config()),
        tokenizer=_tokenizer(folder),
        unet=_unet(),
        scheduler=PNDMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _saved(pipeline, folder)


def stable_diffusion_that_refuses(folder: Path) -> Path:
    """A Stable Diffusion 1 whose safety checker refuses every picture."""
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(
            projection_dim=HIDDEN,
            text_config=_text_config().to_dict(),
            vision_config={
                "hidden_size": HIDDEN,
                "intermediate_size": 37,
                "num_attention_heads": 4,
                "num_hidden_layers": 2,
                "image_size": 32,
                "patch_size": 8,
            },
        )
    )
    # Thresholds of similarity that everything is above.
    checker.concept_embeds_weights.fill_(-2.0)
    checker.special_care_embeds_weights.fill_(-2.0)
    size = {"height": 32, "width": 32}
    plain = StableDiffusionPipeline.from_pretrained(stable_diffusion(folder / "plain"), safety_checker=None)
    pipeline = StableDiffusionPipeline(
        **{part: value for part, value in plain.components.items() if value is not None},
        safety_checker=checker,
        feature_extractor=CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size),
    )
    return _saved(pipeline, folder / "checked")


def inpainting(folder: Path) -> Path:
    """A Stable Diffusion 1 that fills masks: its UNet takes the mask and the masked picture too."""
    torch.manual_seed(0)
    pipeline = StableDiffusionInpaintPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_config()),
        tokenizer=_tokenizer(folder),
        unet=_unet(in_channels=9),
        scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _saved(pipeline, folder)


def sdxl(folder: Path) -> Path:
    """An SDXL base."""
    torch.manual_seed(0)
    pipeline = StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text_config(hidden_act="gelu", projection_dim=HIDDEN)),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(hidden_act="gelu", projection_dim=HIDDEN)),
        tokenizer=_tokenizer(folder),
        tokenizer_2=_tokenizer(folder),
        unet=_xl_unet(cross_attention_dim=2 * HIDDEN, time_ids=6),
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
    )
    return _saved(pipeline, folder)


def sdxl_refiner(folder: Path) -> Path:
    """An SDXL refiner: it has the second text encoder alone, and a pipeline from picture to picture."""
    torch.manual_seed(1)
    pipeline = StableDiffusionXLImg2ImgPipeline(
        vae=_vae(),
        text_encoder=None,
        text_encoder_2=CLIPTextModelWithProjection(_text_config(hidden_act="gelu", projection_dim=HIDDEN)),
        tokenizer=None,
        tokenizer_2=_tokenizer(folder),
        unet=_xl_unet(cross_attention_dim=HIDDEN, time_ids=5),
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        requires_aesthetics_score=True,
    )
    return _saved(pipeline, folder)


def lora(folder: Path, model: Path) -> Path:
    """An adapter for the UNet of ``model``, as a .safetensors file."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet")
    torch.manual_seed(7)
    unet.add_adapter(LoraConfig(r=4, init_lora_weights=False, target_modules=["to_q", "to_v"]))
    weights = get_peft_model_state_dict(unet)
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=weights, weight_name="adapter.safetensors")
    return folder / "adapter.safetensors"


def _saved(pipeline: Any, folder: Path) -> Path:
    pipeline.save_pretrained(folder)
    return folder


def _vae() -> AutoencoderKL:
    # Four blocks: the usual factor of 8 from picture to latents.
    return AutoencoderKL(
        block_out_channels=[32] * 4,
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        latent_channels=4,
        layers_per_block=1,
        sample_size=64,
    ).eval()


def _unet(in_channels: int = 4) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=8,
        in_channels=in_channels,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=HIDDEN,
    ).eval()


def _xl_unet(*, cross_attention_dim: int, time_ids: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 1),
        projection_class_embeddings_input_dim=8 * time_ids + HIDDEN,
        cross_attention_dim=cross_attention_dim,
    ).eval()


def _text_config(**changes: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
        hidden_size=HIDDEN,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=3,
        vocab_size=514,
        **changes,
    )


def _tokenizer(folder: Path) -> CLIPTokenizer:
    """One token for each byte, and for each byte at the end of a word."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    folder.mkdir(parents=True, exist_ok=True)
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}), encoding="utf-8")
    merges = folder / "merges.txt"
    merges.write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)
