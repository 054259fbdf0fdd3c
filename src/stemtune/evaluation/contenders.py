"""What takes part in a comparison: a system that can be heard, or the results that one left behind.

    [NAME=] MODEL | ESTIMATES | RESULTS | mixture | oracle-irm

The name is what tables and charts show; without one it is taken from the path.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stemtune.errors import UsageError
from stemtune.evaluation.model_systems import ModelSystem
from stemtune.evaluation.report_curves import find_logs
from stemtune.evaluation.report_results import is_results, read_results
from stemtune.evaluation.subjects import open_system
from stemtune.evaluation.systems import MIXTURE_SYSTEM, EstimatesSystem, MixtureSystem, System
from stemtune.evaluation.table import Evaluation
from stemtune.hub import find_card
from stemtune.hub.registry import MODEL_OF_RUN
from stemtune.separation.options import SeparationOptions

__all__ = ["Contender", "open_contenders"]


@dataclass(frozen=True)
class Contender:
    """One of the compared.

    Attributes:
        label: its name in the report; no other has it.
        about: a sentence that says what it is.
        system: what can be heard and scored; None if there are only results.
        results: of an earlier evaluation, if there are only these.
        logs: of its training.
        training_data: what it learnt from, in words, as far as its card says.
        is_oracle: whether it knows the truth, and is no rival.
    """

    label: str
    about: str
    system: System | None = None
    results: Evaluation | None = None
    logs: tuple[Path, ...] = ()
    training_data: str = ""
    is_oracle: bool = False


def open_contenders(
    texts: Sequence[str],
    *,
    options: SeparationOptions | None = None,
    fit: bool = False,
    logs: Sequence[tuple[str, Path]] = (),
) -> tuple[Contender, ...]:
    """What a user names, in that order, and the mixture behind it if it was not named.

    Args:
        texts: as in the module's description.
        options: of models' separations.
        fit: make estimates fit that do not.
        logs: of training, each with the name of whose it is; instead of what is found beside a model.

    Raises:
        UsageError: for a name that leads nowhere, or a log of nobody.
        InputError: for results that cannot be read.
        WeightsError: for a model that cannot be loaded.
    """
    named = [_open(text, options, fit) for text in texts]
    if not any(isinstance(contender.system, MixtureSystem) for contender in named):
        named.append(_open(MIXTURE_SYSTEM, options, fit))
    unique: list[Contender] = []
    for contender in named:
        label = _unlike(contender.label, [other.label for other in unique])
        given = tuple(path for name, path in logs if name == label)
        unique.append(replace(contender, label=label, logs=given or contender.logs))
    strangers = [name for name, _ in logs if name not in {contender.label for contender in unique}]
    if strangers:
        names = ", ".join(contender.label for contender in unique)
        raise UsageError(f"a training log of {strangers[0]!r}, who takes no part; those who do are {names}")
    return tuple(unique)


def _open(text: str, options: SeparationOptions | None, fit: bool) -> Contender:
    label, separator, subject = text.partition("=")
    if not separator or "/" in label or Path(text).exists():
        label, subject = "", text
    path = Path(subject).expanduser()
    if is_results(path):
        results = read_results(path)
        about = f"results read from {subject} ({results.subject}); no sound, for there are only numbers"
        return Contender(label or path.stem, about, results=results)
    system = open_system(subject, options=options, fit=fit)
    if isinstance(system, ModelSystem):
        card = find_card(system.folder)
        is_of_run = path.is_dir() and system.folder.name == MODEL_OF_RUN
        name = system.folder.absolute().parent.name if is_of_run else card.name
        about = f"model {card.name}, licence {card.licence}, weights {(card.weights_sha256 or '?')[:12]}"
        heard = "; ".join(f"{data.corpus} ({data.minutes:.0f} min)" for data in card.training_data)
        return Contender(label or name, about, system, logs=find_logs(system.folder), training_data=heard)
    if isinstance(system, EstimatesSystem):
        return Contender(label or path.name or subject, f"estimates in the folder {subject}", system)
    if isinstance(system, MixtureSystem):
        return Contender(
            MIXTURE_SYSTEM, "the unprocessed mixture, as the estimate of every stem: the lower bound", system
        )
    about = "an oracle, which knows the true stems: an upper bound of its kind"
    return Contender(label or system.name, about, system, is_oracle=True)


def _unlike(label: str, taken: Sequence[str]) -> str:
    if label not in taken:
        return label
    return next(f"{label} ({number})" for number in range(2, len(taken) + 3) if f"{label} ({number})" not in taken)
