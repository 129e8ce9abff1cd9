"""The tiny Stable Diffusion 1 as one .safetensors file, its tensors named as the original program named them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

_LAYERS = 2
"""Of each of the UNet's blocks: a ResNet, and what halves or doubles the size."""
_VAE_BLOCKS = 4

_UNET = {
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "conv_in.": "input_blocks.0.0.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
    "mid_block.resnets.0.": "middle_block.0.",
    "mid_block.attentions.0.": "middle_block.1.",
    "mid_block.resnets.1.": "middle_block.2.",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_VAE = {
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
    "mid_block.attentions.0": "mid.attn_1",
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "downsamplers.0": "downsample",
    "upsamplers.0": "upsample",
    "group_norm": "norm",
    "to_out.0": "proj_out",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
}


def checkpoint(file: Path, model: Path) -> Path:
    """Write the folder ``model`` as ``file``."""
    pipeline = StableDiffusionPipeline.from_pretrained(model, safety_checker=None)
    tensors: dict[str, Any] = {}
    for name, tensor in pipeline.unet.state_dict().items():
        tensors[f"model.diffusion_model.{_unet_name(name)}"] = tensor
    for name, tensor in pipeline.vae.state_dict().items():
        conv = "mid_block.attentions" in name and tensor.ndim == 2
        tensors[f"first_stage_model.{_vae_name(name)}"] = tensor[:, :, None, None] if conv else tensor
    for name, tensor in pipeline.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = tensor
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    return file


def _unet_name(name: str) -> str:
    match = re.match(r"(?P<way>down|up)_blocks\.(?P<block>\d)\.(?P<kind>\w+)\.(?P<layer>\d)\.(?P<rest>.*)", name)
    if match is None:
        return _resnet(_replaced(name, _UNET))
    place = int(match["block"]) * _LAYERS + int(match["layer"])
    blocks, first = ("input_blocks", 1) if match["way"] == "down" else ("output_blocks", 0)
    if match["kind"] == "downsamplers":
        return f"{blocks}.{first + place + 1}.0.{match['rest'].replace('conv', 'op')}"
    if match["kind"] == "upsamplers":
        return f"{blocks}.{first + place + 1}.2.{match['rest']}"  # after a block with attention
    if match["kind"] == "attentions":
        return f"{blocks}.{first + place}.1.{match['rest']}"
    return _resnet(f"{blocks}.{first + place}.0.{match['rest']}")


def _resnet(name: str) -> str:
    return name if "transformer_blocks" in name else _replaced(name, _RESNET)


def _vae_name(name: str) -> str:
    name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d)", r"down.\1", name)
    name = re.sub(r"up_blocks\.(\d)", lambda match: f"up.{_VAE_BLOCKS - 1 - int(match[1])}", name)
    return _replaced(re.sub(r"(up\.\d)\.resnets\.", r"\1.block.", name), _VAE)


def _replaced(name: str, words: Mapping[str, str]) -> str:
    for old, new in words.items():
        name = name.replace(old, new)
    return name
