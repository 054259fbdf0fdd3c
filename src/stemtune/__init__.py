"""Separate music into stems, and teach separators new instruments.

    import stemtune
    stems = stemtune.separate("song.mp3")
    stems["vocals"].save("vocals.flac")

Names are imported when they are first used, so that ``import stemtune`` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stemtune.data.sound import Sound
    from stemtune.errors import StemtuneError
    from stemtune.hub import list_models, load
    from stemtune.separation.api import separate
    from stemtune.separation.options import SeparationOptions
    from stemtune.types import StemSet

    __version__: str

__all__ = [
    "SeparationOptions",
    "Sound",
    "StemSet",
    "StemtuneError",
    "__version__",
    "list_models",
    "load",
    "separate",
]

_HOMES = {
    "SeparationOptions": "stemtune.separation.options",
    "Sound": "stemtune.data.sound",
    "StemSet": "stemtune.types",
    "StemtuneError": "stemtune.errors",
    "list_models": "stemtune.hub",
    "load": "stemtune.hub",
    "separate": "stemtune.separation.api",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("stemtune")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'stemtune' has no attribute {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
