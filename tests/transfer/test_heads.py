"""New heads: stems that are renamed, reordered, duplicated, dropped or fresh, in every family."""

import pytest
import torch

from stemtune.errors import ConfigError
from stemtune.models import Separator, SeparatorConfig
from stemtune.nn.scaled_conv import ScaledConv
from stemtune.transfer.heads import move_stems
from tests.contracts.test_separators import SMALL, close, noise

MANY = {name: config for name, config in SMALL.items() if len(config.stems) > 1}


def trained(config: SeparatorConfig) -> Separator:
    torch.manual_seed(0)
    separator = config.build()
    with torch.no_grad():
        separator(noise(2, separator.channels, 3000))
    return separator.eval()


def moved(source: Separator, stems: dict[str, str | None], seed: int = 1) -> Separator:
    torch.manual_seed(seed)
    target = source.config.override({"stems": list(stems)}).build().eval()
    target.load_state_dict(move_stems(source, target, stems))
    return target


@pytest.mark.parametrize("name", MANY)
def test_renamed_and_reordered_stems_answer_as_before(name: str) -> None:
    source = trained(MANY[name])
    old = list(reversed(source.stems))
    target = moved(source, {f"new {stem}": stem for stem in old})
    mixture = noise(2, source.channels, 5000)
    with torch.no_grad():
        before, after = source(mixture).sources, target(mixture).sources
    close(after.flip(1), before)


@pytest.mark.parametrize("name", [name for name in MANY if "bandnet" not in name and "xumx" not in name])
def test_a_stem_of_its_own_answers_as_before(name: str) -> None:
    """Fewer stems, and more; where masks sum to one (bandnet) or bridges are means (xumx) the others matter."""
    source = trained(MANY[name].override({"refine": "none"}) if "mask" in name else MANY[name])
    first, second = source.stems[:2]
    mixture = noise(2, source.channels, 5000)
    with torch.no_grad():
        before = source(mixture).sources
        one = moved(source, {"tabla": second})(mixture).sources
        five = moved(source, {"a": second, "b": None, "c": first, "d": second, "e": None})(mixture).sources
    close(one[:, 0], before[:, 1])
    close(five[:, 0], before[:, 1])
    close(five[:, 3], before[:, 1])
    close(five[:, 2], before[:, 0])


@pytest.mark.parametrize("name", MANY)
def test_fresh_stems_are_fresh_and_the_trunk_is_not(name: str) -> None:
    source = trained(MANY[name])
    first = source.stems[0]
    targets = [moved(source, {"tabla": None, "sitar": first}, seed=seed) for seed in (1, 2)]
    states = [target.state_dict() for target in targets]
    different = {key for key in states[0] if not torch.equal(states[0][key], states[1][key])}
    own = [place.pattern.replace("{stem}", "0").rstrip("*") for place in source.stem_parameters]
    assert different
    assert all(key.startswith(tuple(own)) for key in different)


def test_what_a_convolution_is_scaled_by_depends_on_the_number_of_stems() -> None:
    """So that the test above means something for Demucs: its last layers differ in their gains."""
    source = trained(SMALL["demucs"])
    target = source.config.override({"stems": ["tabla"]}).build()
    gains = [
        module.gain for network in (source, target) for module in network.modules() if isinstance(module, ScaledConv)
    ]
    assert gains[len(gains) // 2 - 1] != gains[-1]


def test_what_does_not_fit_is_refused() -> None:
    source = trained(SMALL["chimeranet"])
    with pytest.raises(ConfigError, match="a Demucs cannot start from this ChimeraNet: expected the same family"):
        move_stems(source, SMALL["demucs"].build(), {})
    with pytest.raises(ConfigError, match="the same settings but for the stems"):
        move_stems(source, source.config.override({"hidden_size": 6}).build(), {})
    target = source.config.override({"stems": ["tabla"]}).build()
    with pytest.raises(ConfigError, match="where does the stem 'tabla' start"):
        move_stems(source, target, {})
    with pytest.raises(ConfigError, match="has no stem 'sitar'; it has accompaniment, vocals"):
        move_stems(source, target, {"tabla": "sitar"})


def test_a_single_stem_network_is_renamed() -> None:
    source = trained(SMALL["vqvae"])
    mixture = noise(1, 1, 2000)
    with torch.no_grad():
        close(moved(source, {"kick": "drums"})(mixture).sources, source(mixture).sources)
