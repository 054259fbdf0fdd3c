"""The four experiments of the study, which begin alike and differ in one thing each.

    x-umx      MSE of magnitudes
    concat     the same; the decoder also hears the listener's features of the mixture
    con-reg    MSE + 1e-6 Con-Reg of the latents
    dis-reg    MSE + 1 Dis-Reg

With the same seed they start from the same weights (Concat's decoder is wider, and has further weights for what is
new), hear the same examples in the same order, and draw the same dropout.

References:
    Hung and Lerch, "Feature-informed latent space regularization for music source separation", 2022, section 3.4.
    Stoeter, Uhlich, Liutkus and Mitsufuji, "Open-Unmix", 2019: gains, channel swap, input statistics.

Deviations:
    Plateaus and early stopping watch the ``sdr_global`` of whole validation songs instead of their MSE. Batches of 14,
    which the paper does not state, are asteroid's. The listener's features enter the decoder as they are.
"""

from stemtune.data.augment import AugmentationConfig
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.objectives.choice import ObjectiveConfig, WeightedObjective, WeightedSumConfig
from stemtune.objectives.latent import CON_REG_WEIGHT, DIS_REG_WEIGHT, ConRegConfig, DisRegConfig
from stemtune.objectives.spectral import MagnitudeMSEConfig
from stemtune.recipes.hung2022.scales import STEMS, Scale
from stemtune.training.phase import Experiment, Optimiser, Phase, Validation
from stemtune.training.schedule import Schedule
from stemtune.transfer.initialise import Initialise

__all__ = ["METHODS", "experiment"]

METHODS = ("x-umx", "concat", "con-reg", "dis-reg")


def experiment(
    method: str, scale: Scale, corpora: tuple[Corpus, ...], validation: Validation, *, name: str, seed: int
) -> Experiment:
    """One of the `METHODS`.

    Args:
        method: which.
        scale: how large.
        corpora: songs with the four stems.
        validation: songs that the learning rate follows, and nobody learns from.
        name: of the experiment.
        seed: of weights and draws.
    """
    is_concat = method == "concat"
    model = scale.model
    if is_concat:
        model = model.override({"listener": scale.listener_config.model_dump(mode="json")})
    phase = Phase(
        name="learn",
        initialise=Initialise(input_statistics=True, listener=scale.listener if is_concat else None),
        objective=_objective(method, scale),
        data=MixingConfig(
            corpora=corpora,
            stems=STEMS,
            sample_rate=model.sample_rate,
            channels=model.channels,
            segment_seconds=scale.segment_seconds,
            coherent_probability=0.0,
            augmentation=AugmentationConfig(gain=scale.gain, swap_probability=scale.swap_probability),
        ),
        steps=scale.steps,
        batch_size=scale.batch_size,
        optimiser=Optimiser(learning_rate=scale.learning_rate, weight_decay=1e-5),
        schedule=Schedule(kind="plateau", watch="validation", decay=0.3, patience=scale.plateau_epochs),
        clipping=None,
        precision=scale.precision,
        validation=validation,
        patience=scale.patience_epochs,
    )
    return Experiment(name=name, seed=seed, model=model, phases=(phase,))


def _objective(method: str, scale: Scale) -> ObjectiveConfig:
    mse = MagnitudeMSEConfig(n_fft=scale.model.n_fft, hop_length=scale.model.hop_length)
    match method:
        case "con-reg":
            pull = WeightedObjective(weight=CON_REG_WEIGHT, objective=ConRegConfig(listener=scale.listener))
        case "dis-reg":
            pull = WeightedObjective(weight=DIS_REG_WEIGHT, objective=DisRegConfig(listener=scale.listener))
        case _:
            return mse
    return WeightedSumConfig(parts=(WeightedObjective(weight=1.0, objective=mse), pull))
