"""New heads: the same network for other stems, any number of them.

What a network keeps for single stems (`Separator.stem_parameters`) is taken from the stem of the old network that is
named for each new one, or stays as it was initialised; all the rest is taken over:

    parameters(new stem) = parameters(old stem)  or  fresh,        the trunk = the old trunk.

So a renamed, reordered or duplicated stem answers as its origin does: exactly where stems do not look at each other,
and up to the masks' sum where they share the mixture (`BandNet`).

References:
    Bugler, Pardo and Seetharaman, 2021 (section 3.2): a fresh mask head for the stems of the task.

Deviations:
    Heads may also start from another stem's.
"""

import fnmatch
from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor

from stemtune.errors import ConfigError
from stemtune.models.base import Separator, StemParameters

__all__ = ["move_stems"]


def move_stems(source: Separator, target: Separator, stems: Mapping[str, str | None]) -> dict[str, Tensor]:
    """The state in which a network for new stems starts.

    Args:
        source: a trained network.
        target: freshly initialised, of the same family and sizes, with the new stems.
        stems: for each new stem the old one whose parameters it takes, or None to leave it fresh.

    Raises:
        ConfigError: if the networks are of different families or sizes, or the stems are not theirs.
    """
    _require_fit(source, target, stems)
    origins = {
        number: source.stems.index(old) for number, new in enumerate(target.stems) if (old := stems[new]) is not None
    }
    state, before = dict(target.state_dict()), source.state_dict()
    places = list(zip(target.stem_parameters, source.stem_parameters, strict=True))
    for name, tensor in state.items():
        place = next((pair for pair in places if _belongs(name, pair[0])), None)
        if place is None:
            state[name] = before[name]
        elif place[0].axis is None:
            state[name] = _own_tensor(name, tensor, place[0], before, origins)
        else:
            state[name] = _shared_tensor(tensor, before[name], place, (len(target.stems), len(source.stems)), origins)
    return state


def _require_fit(source: Separator, target: Separator, stems: Mapping[str, str | None]) -> None:
    names = {"stems": list(target.stems)}
    if type(source) is not type(target) or source.config.override(names) != target.config:
        raise ConfigError(
            f"a {type(target).__name__} cannot start from this {type(source).__name__}: expected the same family and "
            "the same settings but for the stems"
        )
    if not source.stem_parameters:
        raise ConfigError(f"a {type(source).__name__} does not say which of its parameters belong to which stem")
    if missing := [stem for stem in target.stems if stem not in stems]:
        raise ConfigError(f"where does the stem {missing[0]!r} start? name a stem of the starting model, or null")
    if strangers := [old for old in stems.values() if old is not None and old not in source.stems]:
        raise ConfigError(f"the starting model has no stem {strangers[0]!r}; it has {', '.join(source.stems)}")


def _belongs(name: str, place: StemParameters) -> bool:
    return fnmatch.fnmatchcase(name, place.pattern.replace("{stem}", "[0-9]*"))


def _own_tensor(
    name: str, fresh: Tensor, place: StemParameters, before: Mapping[str, Tensor], origins: Mapping[int, int]
) -> Tensor:
    """Of one stem, whose number is in the name."""
    if "{stem}" not in place.pattern:  # a network of a single stem
        return before[name] if origins else fresh
    beginning = place.pattern.partition("{stem}")[0]
    number, _, rest = name.removeprefix(beginning).partition(".")
    old = origins.get(int(number))
    return fresh if old is None else before[f"{beginning}{old}.{rest}"]


def _shared_tensor(
    fresh: Tensor,
    before: Tensor,
    places: tuple[StemParameters, StemParameters],
    num_stems: tuple[int, int],
    origins: Mapping[int, int],
) -> Tensor:
    """Of all stems, which lie along an axis."""
    new, old = (
        rearrange(
            tensor.movedim(place.axis or 0, 0), "(a stem inner) ... -> stem a inner ...", stem=n, inner=place.inner
        )
        for tensor, place, n in zip((fresh, before), places, num_stems, strict=True)
    )
    taken = [
        new[stem] if stem not in origins else old[origins[stem]] * (places[1].scale / places[0].scale)
        for stem in range(num_stems[0])
    ]
    joined = rearrange(torch.stack(taken), "stem a inner ... -> (a stem inner) ...")
    return joined.movedim(0, places[0].axis or 0).contiguous()
