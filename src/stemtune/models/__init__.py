"""One published architecture per file, and the tuple of all separators."""

from collections.abc import Mapping
from typing import cast

from stemtune.config import parse
from stemtune.errors import ConfigError
from stemtune.models.bandnet import BandNet
from stemtune.models.base import Separator, SeparatorConfig
from stemtune.models.chimeranet import ChimeraNet
from stemtune.models.demucs import Demucs
from stemtune.models.vqvae import VQVAE, Unmix
from stemtune.models.xumx import XUMX

__all__ = ["SEPARATORS", "Separator", "SeparatorConfig", "parse_separator_config"]

SEPARATORS: tuple[type[Separator], ...] = (XUMX, BandNet, ChimeraNet, VQVAE, Unmix, Demucs)


def parse_separator_config(data: object, *, origin: str = "") -> SeparatorConfig:
    """The configuration of the family that ``data["kind"]`` names; ``origin`` is named in the error.

    Raises:
        ConfigError: for an unknown family, or values that it does not allow.
    """
    if isinstance(data, SeparatorConfig):
        return data
    kinds: dict[str, type[SeparatorConfig]] = {
        str(family.config_type.model_fields["kind"].default): family.config_type for family in SEPARATORS
    }
    kind = cast("Mapping[str, object]", data).get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds:
        where = f"{origin}: " if origin else ""
        raise ConfigError(f"{where}unknown kind of separator {kind!r}; expected one of {', '.join(kinds)}")
    return parse(kinds[kind], cast("object", data), origin=origin)
