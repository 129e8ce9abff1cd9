"""The four parts of tron/shapes before training, as ordinary classes of diffusers and transformers."""

from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from draw import SIDE
from tron_plugin_stable_diffusion.vocabulary import WORDS

SPECIAL: Final = ("<pad>", "<start>", "<end>", "<unknown>")
PAD, START, END, UNKNOWN = range(len(SPECIAL))
IDS: Final[dict[str, int]] = {word: index for index, word in enumerate((*SPECIAL, *WORDS))}
MOST_TOKENS: Final = 24
WIDTH: Final = 96
"""Of the text encoder, which is what the U-Net attends to."""


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, case ignored; what is not in the vocabulary becomes `<unknown>`."""
    words = Tokenizer(WordLevel(IDS, unk_token=SPECIAL[UNKNOWN]))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", START), ("<end>", END)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        model_max_length=MOST_TOKENS,
        pad_token=SPECIAL[PAD],
        bos_token=SPECIAL[START],
        eos_token=SPECIAL[END],
        unk_token=SPECIAL[UNKNOWN],
    )


def text_encoder() -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(IDS),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MOST_TOKENS,
        pad_token_id=PAD,
        bos_token_id=START,
        eos_token_id=END,
        projection_dim=WIDTH,
        attn_implementation="eager",
    )
    encoder = CLIPTextModel(config)
    # CLIP's own start is 0.02, from which opposites ("left", "right") hardly move apart: nothing can be drawn from
    # their difference before the U-Net knows places, and they become one word.
    torch.nn.init.normal_(encoder.get_input_embeddings().weight, std=0.3)
    return encoder


def autoencoder() -> AutoencoderTiny:
    """Eight times smaller on each side: 96 × 96 × 3 become 12 × 12 × 4.

    Convolutions and ReLU alone. The usual AutoencoderKL normalises over the whole picture, which takes flat colours
    away and then has to learn them back; this one learns as much in a tenth of the time, from crops.
    """
    return AutoencoderTiny(
        encoder_block_out_channels=(32,) * 4,
        decoder_block_out_channels=(32,) * 4,
        num_encoder_blocks=(0, 1, 1, 2),
        num_decoder_blocks=(2, 1, 1, 1),
        latent_channels=4,
        scaling_factor=1.0,
    )


def unet() -> UNet2DConditionModel:
    """Attention at 8 × 8 only, where a place is a tenth of the picture: enough for who lies where, and cheap."""
    return UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(48, 96),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        # diffusers takes this as the number of heads.
        attention_head_dim=4,
        norm_num_groups=16,
    )


def scheduler() -> DDIMScheduler:
    """Ends in pure noise (the cosine schedule) and begins there (trailing): else no background would be quite plain."""
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,  # plays no part in trailing steps, and diffusers asks for it
    )


def save(folder: Path, **parts: Any) -> None:
    """Write each part into the subfolder of its name, as the pipeline's own `save_pretrained` would."""
    for name, part in parts.items():
        part.save_pretrained(folder / name)
