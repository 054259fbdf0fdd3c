"""Jukebox's auto-encoder and Unmix's two kinds of checkpoint become `VQVAE` and `Unmix`.

Three programs use three names for the same tensors: OpenAI's own (``vqvae.pth.tar``, under ``model``), which Unmix
kept; and that of transformers. A name is translated, not guessed:

    encoders.0.level_blocks.0.model.2.1.model.5.model.3.weight  ->  encoder.blocks.2.5.project.weight.

References:
    openai/jukebox, ``vqvae/encdec.py`` and ``resnet.py``; wzaielamri/unmix; transformers 4.46, ``modeling_jukebox.py``.

Deviations:
    Of several levels the bottom one is taken, as by Unmix. Dilations, which shapes do not tell, grow by 3, as there.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.models.vqvae import VQVAE, CodecConfig, Unmix, UnmixConfig, VQVAEConfig
from stemtune.nn.vector_quantiser import VectorQuantiserConfig

__all__ = ["from_jukebox", "from_unmix"]

_Names = Mapping[str, Tensor]
_LEVEL = re.compile(r"^(?:module\.)?(encoders|decoders)\.(\d+)\.")


def from_jukebox(state: _Names, *, stem: str = "music", sample_rate: int = 44100) -> VQVAE:
    """The bottom level (hop 8) of Jukebox's auto-encoder, or Unmix's first phase, in evaluation mode.

    Args:
        state: the state dictionary, by OpenAI's names or those of transformers, with or without ``module.``.
        stem: what the auto-encoder is said to listen to.
        sample_rate: in Hz.

    Raises:
        WeightsError: if a tensor is missing, or a shape is wrong; it is named.
    """
    parts = _parts(state)
    codec = _sizes(parts)
    network = VQVAEConfig(stems=(stem,), sample_rate=sample_rate, codec=codec).build()
    filled = {
        **parts,
        "quantiser.sums": parts["quantiser.codebook"].clone(),
        "quantiser.counts": torch.ones(codec.quantiser.num_codes),
        "quantiser.filled": torch.tensor(True),
    }
    _load(network, filled)
    return network.eval()


def from_unmix(stems: Mapping[str, tuple[_Names, _Names]], *, sample_rate: int = 44100) -> Unmix:
    """Unmix with one pair of checkpoints per stem, in evaluation mode.

    Args:
        stems: for each stem the state dictionaries of its auto-encoder and of its mixture encoder.
        sample_rate: in Hz.

    Raises:
        WeightsError: as `from_jukebox`, or if the networks of two stems differ in size.
    """
    if not stems:
        raise WeightsError("Unmix needs at least one stem, with its auto-encoder and its mixture encoder")
    codecs = {stem: from_jukebox(codec, stem=stem) for stem, (codec, _) in stems.items()}
    sizes = {stem: codec.config.codec for stem, codec in codecs.items()}
    first = next(iter(sizes.values()))
    if different := [stem for stem, size in sizes.items() if size != first]:
        raise WeightsError(f"the auto-encoders differ in size: {different[0]!r} is not like {next(iter(sizes))!r}")
    network = UnmixConfig(stems=tuple(stems), sample_rate=sample_rate, codec=first).build()
    for place, (stem, (_, mixture_encoder)) in enumerate(stems.items()):
        network.take_codec(stem, codecs[stem])
        parts = {
            name.removeprefix("encoder."): tensor
            for name, tensor in _parts(mixture_encoder).items()
            if name.startswith("encoder.")
        }
        _load(network.encoders[place], parts)
    return network.eval()


def _parts(state: _Names) -> dict[str, Tensor]:
    """Our names and the tensors of the bottom level.

    Raises:
        WeightsError: if there are no such names.
    """
    plain = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    there = sorted({int(found[2]) for name in plain if (found := _LEVEL.match(name))})
    if 0 not in there:
        found = f"its levels are {', '.join(map(str, there))}" if there else "it has no encoders at all"
        raise WeightsError(f"the checkpoint has no encoder of level 0: {found}; expected a VQ-VAE of Jukebox")
    codebook = next(
        (plain[n] for n in (f"bottleneck.level_blocks.0.{k}" for k in ("k", "codebook")) if n in plain), None
    )
    parts = {"quantiser.codebook": codebook} if codebook is not None else {}
    stages = 1 + max(
        (stage for name in plain if (stage := _stage(name.removeprefix("encoders.0."))) is not None), default=-1
    )
    for name, tensor in plain.items():
        side, number, rest = [*name.split(".", 2), ""][:3]
        if side in {"encoders", "decoders"} and number == "0":
            ours = _translate(side.removesuffix("s"), rest, stages=stages)
            if ours is None:
                raise WeightsError(f"unknown tensor {name!r} in the checkpoint; expected a VQ-VAE of Jukebox")
            parts[ours] = tensor
    return parts


_OPENAI_SHRINK = re.compile(r"^level_blocks\.\d+\.model\.(\d+)\.0\.(weight|bias)$")
_TRANSFORMERS_SHRINK = re.compile(r"^level_blocks\.\d+\.downsample_block\.(\d*[02468])\.(weight|bias)$")


def _stage(rest: str) -> int | None:
    """The number of the stage whose strided convolution a name of an encoder means."""
    if found := _OPENAI_SHRINK.match(rest):
        return int(found[1])
    if found := _TRANSFORMERS_SHRINK.match(rest):
        return int(found[1]) // 2
    return None


def _translate(side: str, rest: str, *, stages: int) -> str | None:
    """Our name for a tensor of the encoder or the decoder; None if it is not one of theirs."""
    if rest in {"out.weight", "out.bias"}:
        return f"{side}.{rest}"
    body = re.sub(r"^level_blocks\.\d+\.", "", rest)
    return (_from_openai if body.startswith("model.") else _from_transformers)(side, body, stages)


def _from_openai(side: str, body: str, stages: int) -> str | None:
    if found := re.fullmatch(r"model\.(\d+)\.(weight|bias)", body):
        edge = {"encoder": (stages, "out"), "decoder": (0, "entrance")}[side]
        return f"{side}.{edge[1]}.{found[2]}" if int(found[1]) == edge[0] else None
    if not (found := re.fullmatch(r"model\.(\d+)\.(0|1)\.(.+)", body)):
        return None
    stage, inner, rest = int(found[1]) - (side == "decoder"), int(found[2]), found[3]
    if block := re.fullmatch(r"model\.(\d+)\.model\.(1|3)\.(weight|bias)", rest):
        return f"{side}.blocks.{stage}.{block[1]}.{'dilate' if block[2] == '1' else 'project'}.{block[3]}"
    if rest in {"weight", "bias"} and inner == (1 if side == "decoder" else 0):
        return f"{side}.{'grow' if side == 'decoder' else 'shrink'}.{stage}.{rest}"
    return None


def _from_transformers(side: str, body: str, stages: int) -> str | None:
    del stages
    if found := re.fullmatch(r"proj_(?:in|out)\.(weight|bias)", body):
        return f"{side}.{'out' if side == 'encoder' else 'entrance'}.{found[1]}"
    found = re.fullmatch(r"(?:down|up)sample_block\.(\d+)\.(.+)", body)
    if not found:
        return None
    stage, rest = int(found[1]) // 2, found[2]
    if block := re.fullmatch(r"resnet_block\.(\d+)\.conv1d_(1|2)\.(weight|bias)", rest):
        return f"{side}.blocks.{stage}.{block[1]}.{'dilate' if block[2] == '1' else 'project'}.{block[3]}"
    return f"{side}.{'shrink' if side == 'encoder' else 'grow'}.{stage}.{rest}" if rest in {"weight", "bias"} else None


def _sizes(parts: _Names) -> CodecConfig:
    """What the shapes tell."""
    for needed in ("quantiser.codebook", "encoder.out.weight", "encoder.blocks.0.0.dilate.weight"):
        if needed not in parts:
            raise WeightsError(f"the checkpoint lacks the tensor that we call {needed!r}")
    num_codes, features = parts["quantiser.codebook"].shape
    numbers = [tuple(map(int, name.split(".")[2:4])) for name in parts if name.startswith("encoder.blocks.")]
    return CodecConfig(
        stages=1 + max(stage for stage, _ in numbers),
        blocks=1 + max(block for _, block in numbers),
        width=parts["encoder.out.weight"].shape[1],
        quantiser=VectorQuantiserConfig(num_codes=num_codes, features=features),
    )


def _load(network: torch.nn.Module, parts: _Names) -> None:
    """Every tensor to its place.

    Raises:
        WeightsError: naming the first that is missing, unknown or misshapen.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if missing := [name for name in wanted if name not in parts]:
        raise WeightsError(f"the checkpoint lacks {len(missing)} tensors, such as the one that we call {missing[0]!r}")
    for name, tensor in parts.items():
        if name not in wanted or tuple(tensor.shape) != wanted[name]:
            raise WeightsError(f"tensor {name!r}: shape {tuple(tensor.shape)}, expected {wanted.get(name, 'none')}")
    network.load_state_dict({name: parts[name] for name in wanted})
