"""All listeners, and their configurations by ``kind``.

Separators that hear through a listener hold its configuration as part of their own; they find the family here, since
architectures do not import each other.
"""

from collections.abc import Mapping
from typing import cast

from stemtune.config import parse
from stemtune.errors import ConfigError
from stemtune.models.base import Listener, ListenerConfig
from stemtune.models.vggish import VGGish

__all__ = ["LISTENERS", "parse_listener_config", "parse_optional_listener_config"]

LISTENERS: tuple[type[Listener], ...] = (VGGish,)


def parse_listener_config(data: object, *, origin: str = "") -> ListenerConfig:
    """The configuration of the family that ``data["kind"]`` names; ``origin`` is named in the error.

    Raises:
        ConfigError: for an unknown family, or values that it does not allow.
    """
    if isinstance(data, ListenerConfig):
        return data
    kinds = {str(family.config_type.model_fields["kind"].default): family.config_type for family in LISTENERS}
    kind = cast("Mapping[str, object]", data).get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in kinds:
        where = f"{origin}: " if origin else ""
        raise ConfigError(f"{where}unknown kind of listener {kind!r}; expected one of {', '.join(kinds)}")
    return parse(kinds[kind], cast("object", data), origin=origin)


def parse_optional_listener_config(data: object) -> ListenerConfig | None:
    """The same, or None for no listener."""
    return None if data is None else parse_listener_config(data)
