"""Make of a trained model what the plugin ships: half-precision weights once, and ONNX graphs that point into them.

python export.py --model build/shapes --out ../src/tron_plugin_stable_diffusion/shapes
"""

import argparse
import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from diffusers import StableDiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor
from onnx import TensorProto, helper
from safetensors.torch import load_file, save_file

OPSET: Final = 17
FOLDED_BELOW: Final = 64
"""Constants of fewer numbers stay in the graph."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("build/shapes"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    export(options.model, options.out)


def export(model: Path, out: Path) -> None:
    """Write `out`: the pipeline's folder in float16, and a graph for each of its parts beside it."""
    out.mkdir(parents=True, exist_ok=True)
    for part in ("scheduler", "tokenizer", "text_encoder", "unet", "vae"):
        shutil.copytree(model / part, out / part, dirs_exist_ok=True)
    shutil.copy(model / "model_index.json", out)
    for weights in out.rglob("*.safetensors"):
        halve(weights)
    pipeline = StableDiffusionPipeline.from_pretrained(out, torch_dtype=torch.float32)
    pipeline.unet.set_attn_processor(AttnProcessor())
    text_encoder, unet, vae = pipeline.text_encoder.eval(), pipeline.unet.eval(), pipeline.vae.eval()
    side, channels = unet.config.sample_size, unet.config.in_channels
    tokens = torch.zeros((2, pipeline.tokenizer.model_max_length), dtype=torch.int64)
    texts = torch.zeros((2, tokens.shape[1], unet.config.cross_attention_dim))
    latents = torch.zeros((2, channels, side, side))
    pictures = torch.zeros((2, 3, side * 8, side * 8))
    times = torch.zeros(2, dtype=torch.int64)
    write_graph(out, "text_encoder", _Words(text_encoder), (tokens,), "text_encoder/model.safetensors")
    weights = "unet/diffusion_pytorch_model.safetensors"
    write_graph(out, "unet", _Denoiser(unet), (latents, times, texts), weights)
    weights = "vae/diffusion_pytorch_model.safetensors"
    write_graph(out, "encoder", vae.encoder, (pictures,), weights)
    write_graph(out, "decoder", vae.decoder, (latents,), weights)


class _Words(torch.nn.Module):
    def __init__(self, part: torch.nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, tokens: torch.Tensor) -> Any:
        return self.part(tokens)[0]


class _Denoiser(torch.nn.Module):
    def __init__(self, part: torch.nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, latents: torch.Tensor, times: torch.Tensor, texts: torch.Tensor) -> Any:
        return self.part(latents, times, texts, return_dict=False)[0]


def halve(path: Path) -> None:
    """Store every weight of a .safetensors file as float16."""
    tensors = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in load_file(path).items()
    }
    save_file(tensors, path, metadata={"format": "pt"})


def write_graph(out: Path, name: str, part: torch.nn.Module, inputs: tuple[torch.Tensor, ...], weights: str) -> None:
    """Export `part` as `name`.onnx, with the file `weights` in the place of its initialisers.

    Weights stay as they are stored (nothing is folded), so that they can be found in the file by their bytes; ONNX
    Runtime folds the casts to float32 when it loads the graph.
    """
    path = out / f"{name}.onnx"
    torch.onnx.export(
        part,
        inputs,
        str(path),
        dynamo=False,
        opset_version=OPSET,
        do_constant_folding=False,
        input_names=[f"input_{number}" for number in range(len(inputs))],
        output_names=["output"],
        dynamic_axes={f"input_{number}": {0: "batch"} for number in range(len(inputs))} | {"output": {0: "batch"}},
    )
    graph = onnx.load(path)
    _point_into(graph, out / weights, weights)
    onnx.save(graph, path)


def _point_into(model: onnx.ModelProto, weights: Path, location: str) -> None:
    """Replace each large initialiser by a reference to the same numbers in `weights`, cast to float32."""
    stored = _stored(weights)
    kept, casts = [], []
    for constant in model.graph.initializer:
        numbers = onnx.numpy_helper.to_array(constant)
        place = stored.get((numbers.shape, numbers.astype(np.float16).tobytes()))
        if place is None:
            if numbers.size >= FOLDED_BELOW and numbers.dtype == np.float32:
                raise ValueError(f"{constant.name} {numbers.shape} is not in {weights}")
            kept.append(constant)
            continue
        start, length = place
        reference = TensorProto(name=f"{constant.name}.half", data_type=TensorProto.FLOAT16, dims=numbers.shape)
        reference.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", start), ("length", length)):
            reference.external_data.add(key=key, value=str(value))
        kept.append(reference)
        casts.append(helper.make_node("Cast", [reference.name], [constant.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)


def _stored(path: Path) -> Mapping[tuple[tuple[int, ...], bytes], tuple[int, int]]:
    """Where in a .safetensors file (offset, length) the numbers of a shape are, by shape and bytes."""
    raw = path.read_bytes()
    (header_length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + header_length])
    header.pop("__metadata__", None)
    places = {}
    for entry in header.values():
        start, end = (8 + header_length + offset for offset in entry["data_offsets"])
        places[tuple(entry["shape"]), raw[start:end]] = (start, end - start)
    return places


if __name__ == "__main__":
    main()
