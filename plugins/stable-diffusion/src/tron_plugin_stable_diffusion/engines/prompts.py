"""Prompts that are longer than CLIP reads at once (75 tokens): read in pieces, whose embeddings follow one another.

Only what the pipelines of Stable Diffusion 1 and 2 and of SDXL take; they would drop the rest of such a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

Pipeline = Any
Tensor = Any
Reader = tuple[Any, Any]
"""A tokenizer and its text encoder."""

_PIPELINES = ("StableDiffusionPipeline", "StableDiffusionImg2Img", "StableDiffusionInpaint", "StableDiffusionXL")


def long_prompt(pipeline: Pipeline, prompt: str, negative: str, count: int) -> dict[str, Tensor] | None:
    """The arguments that stand for ``prompt`` and ``negative``, each ``count`` times; None where CLIP reads both at
    once, or the pipeline is not one of those."""
    readers = _readers(pipeline)
    if not readers:
        return None
    pieces = max(_pieces(tokenizer, text) for tokenizer, _ in readers for text in (prompt, negative))
    if pieces == 1:
        return None
    with torch.no_grad():
        wanted, pooled = _embed(pipeline, readers, prompt, pieces)
        unwanted, unwanted_pooled = _embed(pipeline, readers, negative, pieces)
    if not negative and getattr(pipeline.config, "force_zeros_for_empty_prompt", False):
        unwanted, unwanted_pooled = torch.zeros_like(unwanted), torch.zeros_like(unwanted_pooled)
    arguments = {"prompt_embeds": wanted, "negative_prompt_embeds": unwanted}
    if pooled is not None:
        arguments |= {"pooled_prompt_embeds": pooled, "negative_pooled_prompt_embeds": unwanted_pooled}
    return {name: tensor.repeat(count, *[1] * (tensor.ndim - 1)) for name, tensor in arguments.items()}


def unread(pipeline: Pipeline, prompt: str) -> str | None:
    """A sentence where the model reads the beginning of ``prompt`` alone; None where it reads all of it."""
    names = ("tokenizer", "tokenizer_2", "tokenizer_3")
    tokenizers = [tokenizer for name in names if (tokenizer := getattr(pipeline, name, None)) is not None]
    if not tokenizers:
        return None
    tokenizer = max(tokenizers, key=lambda one: one.model_max_length)
    tokens = len(tokenizer(prompt, truncation=False, verbose=False).input_ids)
    if tokens <= tokenizer.model_max_length:
        return None
    return f"of the prompt's {tokens} tokens this model reads the first {tokenizer.model_max_length}"


def _readers(pipeline: Pipeline) -> list[Reader]:
    if not type(pipeline).__name__.startswith(_PIPELINES):
        return []
    names = (("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2"))
    pairs = [(getattr(pipeline, first, None), getattr(pipeline, second, None)) for first, second in names]
    return [pair for pair in pairs if None not in pair]


def _pieces(tokenizer: Any, text: str) -> int:
    return max(1, -(-len(_tokens(tokenizer, text)) // _room(tokenizer)))


def _room(tokenizer: Any) -> int:
    return int(tokenizer.model_max_length) - 2  # a token begins, and one ends, each piece


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids)


def _embed(pipeline: Pipeline, readers: Sequence[Reader], text: str, pieces: int) -> tuple[Tensor, Tensor | None]:
    """The embedding of ``text`` (1, tokens, width), and for SDXL the pooled one of its first piece."""
    two_encoders = hasattr(pipeline, "text_encoder_2")
    rows: list[Tensor] = []
    pooled = None
    for tokenizer, encoder in readers:
        made = [encoder(ids, output_hidden_states=True) for ids in _inputs(pipeline, tokenizer, text, pieces)]
        if two_encoders:
            pooled = made[0][0]
            rows.append(torch.cat([one.hidden_states[-2] for one in made], dim=1))
        else:
            rows.append(torch.cat([one[0] for one in made], dim=1))
    embedding = torch.cat(rows, dim=-1).to(pipeline.unet.dtype)
    return embedding, pooled


def _inputs(pipeline: Pipeline, tokenizer: Any, text: str, pieces: int) -> list[Tensor]:
    room, tokens = _room(tokenizer), _tokens(tokenizer, text)
    inputs = []
    for start in range(0, pieces * room, room):
        piece = [tokenizer.bos_token_id, *tokens[start : start + room], tokenizer.eos_token_id]
        piece += [tokenizer.pad_token_id] * (room + 2 - len(piece))
        inputs.append(torch.tensor([piece], device=pipeline._execution_device))
    return inputs
