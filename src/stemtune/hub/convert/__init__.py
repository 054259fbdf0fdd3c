"""Public checkpoint formats, one per file, become stemtune models.

A converter reads only names and tensors: it infers every size, ignores what is not a weight (windows, sample rates,
optimiser states), and refuses with the tensor's name what is missing or has the wrong shape.
"""

from stemtune.hub.convert.asteroid_xumx import from_asteroid_xumx
from stemtune.hub.convert.demucs_v2 import from_demucs_v2
from stemtune.hub.convert.jukebox import from_jukebox, from_unmix
from stemtune.hub.convert.nussl_chimera import from_nussl_chimera
from stemtune.hub.convert.open_unmix import from_open_unmix
from stemtune.hub.convert.torchvggish import from_torchvggish

__all__ = [
    "from_asteroid_xumx",
    "from_demucs_v2",
    "from_jukebox",
    "from_nussl_chimera",
    "from_open_unmix",
    "from_torchvggish",
    "from_unmix",
]
