"""The auto-encoder gives, bit for bit, what transformers' Jukebox gives; names and formats are understood."""

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.hub.convert.jukebox import from_jukebox, from_unmix
from tests.golden import make_jukebox
from tests.parity import references

installed = pytest.mark.skipif(
    bool(references.why_missing("transformers")), reason=references.why_missing("transformers")
)


def golden_state() -> dict[str, Tensor]:
    golden = load_file(make_jukebox.FILE)
    return {name.removeprefix("state/"): value for name, value in golden.items() if name.startswith("state/")}


def openai_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Written from OpenAI's code: numbers of modules in their nested sequences."""
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        side, level, *rest = name.split(".")
        body = ".".join(rest)
        if side == "bottleneck":
            renamed["bottleneck.level_blocks.0.k"] = value
        elif rest[0] == "out":
            renamed[name] = value
        else:
            shift = side == "decoders"
            _, _, block, *inner = rest
            leaf = inner[-1] if inner else ""
            if block in {"proj_out", "proj_in"}:
                place = f"model.{0 if shift else 3}.{leaf}"
            elif "resnet_block" in inner:
                number, kind = inner[inner.index("resnet_block") + 1 :][:2]
                order = {"conv1d_1": 1, "conv1d_2": 3}[kind]
                stage = int(inner[0]) // 2 + shift
                place = f"model.{stage}.{0 if shift else 1}.model.{number}.model.{order}.{leaf}"
            else:
                place = f"model.{int(inner[0]) // 2 + shift}.{1 if shift else 0}.{leaf}"
            renamed[f"{side}.{level}.level_blocks.0.{place}"] = value
        assert body
    return renamed


@pytest.mark.parametrize("names", ["transformers", "openai", "openai, two GPUs"])
def test_golden(names: str) -> None:
    golden, state = load_file(make_jukebox.FILE), golden_state()
    if names != "transformers":
        state = openai_names(state)
    if names == "openai, two GPUs":
        state = {f"module.{name}": value for name, value in state.items()}
    network = from_jukebox(state)
    waveform = golden["waveform"].permute(0, 2, 1)
    encoded = network.encode(waveform)
    assert torch.allclose(encoded.latents, golden["latents"], atol=1e-6)
    assert torch.equal(encoded.codes, golden["codes"])
    decoded = network.decode(encoded.codes, num_samples=waveform.shape[2])
    assert torch.allclose(decoded, golden["decoded"].permute(0, 2, 1), atol=1e-6)


@installed
def test_the_golden_file_is_what_the_reference_gives() -> None:
    golden, made = load_file(make_jukebox.FILE), make_jukebox.make()
    assert golden.keys() == made.keys()
    assert all(torch.allclose(made[name].float(), value.float(), atol=1e-6) for name, value in golden.items())


@installed
def test_bit_for_bit_at_full_size() -> None:
    model = make_jukebox.reference()
    network = from_jukebox(model.state_dict())
    assert network.config.codec.hop_length == 8
    assert network.config.codec.quantiser.num_codes == 2048
    waveform = make_jukebox.waveform(8000)
    with torch.no_grad():
        latents = model.encoders[0](waveform.permute(0, 2, 1))[-1]
        codes = model.encode(waveform)[0]
        decoded = model.decode([codes], start_level=0)
    plain = network.encode(waveform.permute(0, 2, 1))  # while gradients are recorded, layer by layer
    assert torch.equal(plain.latents, latents)
    assert torch.equal(plain.codes, codes)
    assert torch.equal(network.decode(codes, num_samples=8000), decoded.permute(0, 2, 1))
    with torch.inference_mode():
        fast = network.encode(waveform.permute(0, 2, 1))
    assert torch.allclose(fast.latents, latents, rtol=1e-4, atol=1e-5)


@installed
def test_the_bottom_level_of_three_is_taken() -> None:
    state = make_jukebox.reference(levels=3, **make_jukebox.SIZES).state_dict()
    network = from_jukebox(state, stem="bass")
    assert network.stems == ("bass",)
    assert network.config.codec.hop_length == 8
    assert torch.equal(network.decoder.out.weight, state["decoders.0.out.weight"])
    upper = {name: value for name, value in state.items() if not name.startswith(("encoders.0", "decoders.0"))}
    with pytest.raises(WeightsError, match="no encoder of level 0: its levels are 1, 2"):
        from_jukebox(upper)


def test_unmix_takes_codebook_and_decoder_from_one_checkpoint_and_the_encoder_from_another() -> None:
    codec = golden_state()
    mixture_encoder = {
        f"module.{name}": 2 * value for name, value in openai_names(codec).items() if name.startswith("encoders")
    }
    network = from_unmix({"drums": (codec, mixture_encoder), "bass": (codec, mixture_encoder)})
    drums = from_jukebox(codec)
    assert network.stems == ("drums", "bass")
    assert torch.equal(network.encoders[1].out.weight, 2 * drums.encoder.out.weight)
    assert torch.equal(network.decoders[1].out.weight, drums.decoder.out.weight)
    assert torch.equal(network.quantisers[0].codebook, drums.quantiser.codebook)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("encoders.0.level_blocks.0.proj_out.weight"), "lacks"),
        (lambda state: state.pop("bottleneck.level_blocks.0.codebook"), "lacks"),
        (lambda state: state.update({"encoders.0.level_blocks.0.attention.weight": torch.zeros(1)}), "unknown tensor"),
        (lambda state: state.update({"decoders.0.out.weight": torch.zeros(1, 2, 3)}), r"shape \(1, 2, 3\), expected"),
        (lambda state: state.clear(), "no encoders at all"),
    ],
)
def test_what_does_not_fit_is_named(change, message: str) -> None:
    state = golden_state()
    change(state)
    with pytest.raises(WeightsError, match=message):
        from_jukebox(state)


def test_stems_of_different_sizes_are_refused() -> None:
    small = golden_state()
    large = dict(small)
    large["bottleneck.level_blocks.0.codebook"] = torch.zeros(9, 5)
    with pytest.raises(WeightsError, match="'bass' is not like 'drums'"):
        from_unmix({"drums": (small, small), "bass": (large, small)})
    with pytest.raises(WeightsError, match="at least one stem"):
        from_unmix({})


def renamed_stage(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same network without its last stage: hop 4."""
    return {
        name.replace("upsample_block.2.", "upsample_block.0.").replace("upsample_block.3.", "upsample_block.1.")
        .replace("upsample_block.4.", "upsample_block.2.").replace("upsample_block.5.", "upsample_block.3."): value
        for name, value in state.items()
        if "downsample_block.4" not in name and "downsample_block.5" not in name
        and "upsample_block.0" not in name and "upsample_block.1." not in name
    }  # fmt: skip


def test_another_hop_is_understood_and_does_not_mix_with_this_one() -> None:
    state = golden_state()
    short = renamed_stage(state)
    assert from_jukebox(short).config.codec.hop_length == 4
    with pytest.raises(WeightsError, match="the checkpoint lacks"):
        from_unmix({"drums": (state, short)})
    with pytest.raises(WeightsError, match="'bass' is not like 'drums'"):
        from_unmix({"drums": (state, state), "bass": (short, short)})


def test_another_width_is_understood_and_does_not_mix_with_this_one() -> None:
    state = golden_state()
    wide = {
        name: torch.zeros(4, 4 if "downsample_block" in name and value.shape[1] > 1 else 1, *value.shape[2:])
        if "encoders" in name and value.ndim == 3
        else value
        for name, value in state.items()
    }
    with pytest.raises(WeightsError, match="expected"):
        from_unmix({"drums": (state, wide)})


def test_a_decoder_of_another_hop_than_the_encoders_is_refused() -> None:
    state, short = golden_state(), renamed_stage(golden_state())
    mixed = {name: value for name, value in short.items() if name.startswith("encoders")}
    mixed |= {name: value for name, value in state.items() if not name.startswith("encoders")}
    with pytest.raises(WeightsError, match=r"shape .*, expected"):
        from_jukebox(mixed)
