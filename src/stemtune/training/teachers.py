"""Teachers: frozen networks that say what they make of the true stems while another model learns.

features = describe(waveform),  frozen: in evaluation mode, without a gradient, never saved with the pupil.

A teacher is a saved auto-encoder of one stem, which hears at the pupil's rate, or a listener, which hears anything at a
rate of its own.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stemtune.errors import ConfigError
from stemtune.hub import load
from stemtune.hub.listeners import find_listener_card, is_listener, load_listener
from stemtune.models.base import Listener, ListenerConfig, Separator
from stemtune.models.listening import MixtureFeatures
from stemtune.models.vqvae import VQVAE
from stemtune.objectives.base import Teacher
from stemtune.objectives.choice import ObjectiveConfig, WeightedSumConfig
from stemtune.objectives.latent import ConRegConfig, DisRegConfig, require_rate
from stemtune.signal.resample import resample
from stemtune.training.phase import Experiment

__all__ = ["ListenerTeacher", "check_listeners", "find_teacher", "give_listener", "regularisers"]


class _StemEncoder:
    """The latents of a stem's own auto-encoder, before quantisation."""

    def __init__(self, codec: VQVAE) -> None:
        self._codec = codec

    def __call__(self, waveform: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch feature frame"]:
        with torch.no_grad():
            return self._codec.encode(waveform).latents.float()


class ListenerTeacher:
    """A listener that is given waveforms at the pupil's rate; see `stemtune.objectives.base.ListeningTeacher`."""

    def __init__(self, listener: Listener, *, sample_rate: int) -> None:
        self._listener = listener.requires_grad_(False).eval()
        self.own_rate, self.sample_rate = listener.sample_rate, sample_rate
        self.hop_seconds = listener.hop_samples / listener.sample_rate
        self.width = listener.width

    def __call__(self, waveform: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch feature frame"]:
        """What it says, without a gradient."""
        with torch.no_grad(), torch.autocast(waveform.device.type, enabled=False):
            mono = waveform.mean(dim=1, keepdim=True).float()
            if self.sample_rate != self.own_rate:
                there = resample(mono.cpu(), source_rate=self.sample_rate, target_rate=self.own_rate)
                mono = there.to(waveform.device)
            return self._listener(mono)


def find_teacher(name: str, *, device: torch.device, sample_rate: int) -> Teacher:
    """A teacher by the name or the folder of its model.

    Raises:
        ConfigError: if the model cannot teach, or hears at another rate.
    """
    if is_listener(name):
        return ListenerTeacher(load_listener(name).to(device), sample_rate=sample_rate)
    model: nn.Module = load(name).to(device)
    if not isinstance(model, VQVAE):
        raise ConfigError(f"{name}: a {type(model).__name__} has no latents of single stems; expected a VQVAE")
    if model.sample_rate != sample_rate:
        raise ConfigError(f"{name}: the teacher hears at {model.sample_rate} Hz, the pupil at {sample_rate} Hz")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return _StemEncoder(model.eval())


def give_listener(network: Separator, name: str) -> None:
    """Put a trained listener's weights where the separator hears through one.

    Raises:
        ConfigError: if the separator has no listener, or one of another kind.
    """
    ears = [module for module in network.modules() if isinstance(module, MixtureFeatures)]
    if not ears:
        raise ConfigError(f"{name}: this {type(network).__name__} hears through no listener; give it one, or name none")
    _require_alike(name, network.config.own_listener)
    for ear in ears:
        ear.listener.load_state_dict(load_listener(name).state_dict())


def regularisers(objective: ObjectiveConfig) -> tuple[ConRegConfig | DisRegConfig, ...]:
    """What of an objective, or of the parts of a sum, will ask a listener."""
    parts = [part.objective for part in objective.parts] if isinstance(objective, WeightedSumConfig) else [objective]
    return tuple(part for part in parts if isinstance(part, ConRegConfig | DisRegConfig))


def check_listeners(experiment: Experiment) -> None:
    """Refuse listeners that cannot teach or be heard through, before the first phase begins; no weights are read.

    Raises:
        UsageError: if there is no such listener.
        ConfigError: if it is none, or not of the kind that the model hears through; if it hears at another rate and
            may not be helped, or describes longer stretches than segments are.
    """
    own = experiment.model.own_listener
    for phase in experiment.phases:
        named = phase.initialise.listener
        if named is not None:
            _require_alike(named, own)
        elif own is not None and phase.initialise.source == "scratch":
            raise ConfigError(
                f"phase {phase.name!r}: the model hears through a listener that has learnt nothing; name a trained one "
                "(initialise.listener)"
            )
        for regulariser in regularisers(phase.objective):
            name = regulariser.listener
            if not is_listener(name):
                load(name)  # says what is wrong with the name
                raise ConfigError(f"phase {phase.name!r}: {name} is no listener; Con-Reg and Dis-Reg need one")
            with torch.device("meta"):
                listener = find_listener_card(name).config.build()
            require_rate(regulariser, own_rate=listener.sample_rate, sample_rate=phase.data.sample_rate)
            shortest = listener.hop_samples / listener.sample_rate
            if phase.data.segment_seconds < shortest:
                raise ConfigError(
                    f"phase {phase.name!r}: segments of {phase.data.segment_seconds:g} s are shorter than the "
                    f"{shortest:g} s that the listener {name} describes at once; choose longer segments"
                )


def _require_alike(name: str, config: ListenerConfig | None) -> None:
    """Refuse a listener that is not what a separator hears through.

    Raises:
        ConfigError: in that case.
    """
    if config is None:
        raise ConfigError(f"{name}: the model hears through no listener (model.listener), so it cannot be given one")
    theirs = find_listener_card(name).config
    if theirs != config:
        raise ConfigError(f"{name}: this listener is {theirs!r}, and the model hears through {config!r}")
