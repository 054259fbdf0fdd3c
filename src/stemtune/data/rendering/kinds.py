"""The kinds of corpora, by name.

producer_of(configuration) = the producer of its kind.
"""

from stemtune.data.rendering.bands import BandProducer
from stemtune.data.rendering.choir import ChoirProducer
from stemtune.data.rendering.chorales import ChoraleProducer
from stemtune.data.rendering.drumming import DrumProducer
from stemtune.data.rendering.plans import Producer, RenderConfig
from stemtune.data.rendering.pop import PopProducer

__all__ = ["producer_of"]


def producer_of(config: RenderConfig) -> Producer:
    """What makes the songs of this configuration."""
    match config.kind:
        case "chorales":
            return ChoraleProducer(config)
        case "bands":
            return BandProducer(config)
        case "choir":
            return ChoirProducer(config)
        case "drums":
            return DrumProducer(config)
        case "pop":
            return PopProducer(config)
