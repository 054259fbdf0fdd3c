"""The two phases: a stem's auto-encoder, and an encoder of mixtures that finds its latents.

    phase 1   stem -> codes -> stem           lmix + spectra + .02 commitment     from music or from scratch
    phase 2   encode(mixture) ~ encode(stem)  mean square of unquantised latents  encoder from scratch, the rest frozen

References:
    Zai El Amri et al., section 2.3; Dhariwal et al., "Jukebox", 2020, for what they took over: Adam at 3e-4, linear
    warm-up of 100 steps, averaged weights.

Deviations:
    Gradients are clipped at the tenth percentile of their history (AutoClip), where Jukebox's code clips at norm 1. The
    codebook's running counts go on from pre-training to phase 1; public checkpoints do not have them. Their phase 2
    probably began with Jukebox's encoder although the text says at random, and used lmix although the text says the
    mean square: the text is the default here, the other ways are cells of their own.
"""

from pathlib import Path
from typing import Literal

from stemtune.models.vqvae import UnmixConfig, VQVAEConfig
from stemtune.objectives.quantisation import AutoEncodingConfig, LatentMatchConfig
from stemtune.recipes.zai2022.corpora import Corpora, hear_mixtures, hear_stem
from stemtune.recipes.zai2022.scales import Scale
from stemtune.training.phase import Experiment, Optimiser, Phase
from stemtune.training.schedule import Schedule
from stemtune.transfer.initialise import Initialise, Part
from stemtune.transfer.trainable import Trainable

__all__ = ["auto_encoder", "mixture_encoder"]


def auto_encoder(
    scale: Scale, corpora: Corpora, stem: str, *, steps: int, name: str, seed: int, start: Path | None = None
) -> Experiment:
    """Phase 1, or the pre-training on music.

    Args:
        scale: how large.
        corpora: what is heard.
        stem: which stem, or `scales.MUSIC`.
        steps: of the optimiser.
        name: of the experiment.
        seed: of weights and draws.
        start: a model to start from; None for scratch.
    """
    bandwidths = scale.bandwidths_of(stem)
    return Experiment(
        name=name,
        seed=seed,
        model=VQVAEConfig(stems=(stem,), sample_rate=scale.sample_rate, codec=scale.codec),
        phases=(
            Phase(
                name="learn",
                initialise=Initialise(source="model", model=str(start)) if start else Initialise(),
                objective=AutoEncodingConfig(
                    waveform_bandwidth=bandwidths.waveform, spectral_bandwidth=bandwidths.spectral
                ),
                data=hear_stem(scale, corpora, stem),
                steps=steps,
                batch_size=scale.batch_size,
                optimiser=Optimiser(learning_rate=scale.learning_rate),
                schedule=Schedule(warmup_steps=scale.warmup_steps),
                ema_decay=scale.ema_decay,
                precision=scale.precision,
            ),
        ),
    )


def mixture_encoder(
    scale: Scale,
    corpora: Corpora,
    stem: str,
    *,
    codec: Path,
    name: str,
    seed: int,
    encoder: Path | None = None,
    measure: Literal["mse", "lmix"] = "mse",
) -> Experiment:
    """Phase 2.

    Args:
        scale: how large.
        corpora: what is heard.
        stem: which stem shall be found.
        codec: the auto-encoder whose latents are to be found, and whose codebook and decoder are kept.
        name: of the experiment.
        seed: of weights and draws.
        encoder: the auto-encoder with whose encoder the mixture encoder begins; None for scratch.
        measure: how latents are compared.
    """
    parts = [Part(model=str(codec), rename={"quantiser.": "quantisers.0.", "decoder.": "decoders.0."})]
    if encoder is not None:
        parts.append(Part(model=str(encoder), rename={"encoder.": "encoders.0."}))
    return Experiment(
        name=name,
        seed=seed,
        model=UnmixConfig(
            stems=(stem,),
            sample_rate=scale.sample_rate,
            codec=scale.codec,
            complete=False,
            decode_in_training=False,
        ),
        phases=(
            Phase(
                name="learn",
                initialise=Initialise(
                    source="model", parts=tuple(parts), fresh=() if encoder is not None else ("encoders.*",)
                ),
                trainable=Trainable(patterns=("encoders.*",)),
                objective=LatentMatchConfig(teachers={stem: str(codec)}, measure=measure),
                data=hear_mixtures(scale, corpora),
                steps=scale.mixture_steps,
                batch_size=scale.batch_size,
                optimiser=Optimiser(learning_rate=scale.learning_rate),
                schedule=Schedule(warmup_steps=scale.warmup_steps),
                ema_decay=scale.ema_decay,
                precision=scale.precision,
            ),
        ),
    )
