"""The latents of the test songs: how well k-means tells their stems apart, and where t-SNE puts them.

What is looked at depends on the method, as in the paper:

    X-UMX: [e_i, r_i],    Concat: [e_i, r_i, listener(mixture)],    Con-Reg and Dis-Reg: f(l_i),

and beside them what the listener makes of the true stems. Of each, ``NAME.json`` has the accuracy of k-means and its
confusion matrix over all songs (`evaluation.latents`), ``NAME.csv`` the places of the first song's frames.

References:
    Hung and Lerch, "Feature-informed latent space regularization for music source separation", 2022, sections 4.2, 4.3.

Deviations:
    Frames are thinned out before they are clustered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.config import Frozen
from stemtune.data.files import write_json_atomically, write_text_atomically
from stemtune.evaluation.latents import cluster_latents, project_latents
from stemtune.hub.listeners import load_listener
from stemtune.models import Separator
from stemtune.objectives.base import fitted, learned, taught
from stemtune.objectives.latent import LatentRegulariser
from stemtune.signal.repetition import frame_index, repeat_frames
from stemtune.training.phase import Experiment
from stemtune.training.run import TrainingResult
from stemtune.training.teachers import ListenerTeacher, find_teacher, regularisers

__all__ = ["Clusters", "Labelled", "features_of", "latents_of", "projection_of", "write_analysis"]

_CHUNK_SECONDS = 10.0
_MOST_DRAWN, _MOST_CLUSTERED = 1200, 20_000

Project = Callable[[Float[Tensor, "batch item feature frame"]], Float[Tensor, "batch stem listener_feature frame"]]


class Clusters(Frozen):
    """What is left of the latents of a model."""

    labels: tuple[str, ...]
    accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    num_items: int


@dataclass(frozen=True)
class Labelled:
    """The latents of a song's stems, frame by frame."""

    stems: tuple[str, ...]
    values: Float[Tensor, "stem feature frame"]


def projection_of(result: TrainingResult, experiment: Experiment) -> Project | None:
    """The map f that was learnt beside the network; None if the objective has none."""
    phase, grid = experiment.phases[-1], result.separator.latent_grid
    found = regularisers(phase.objective)
    if not found or not result.learned:
        return None
    find = partial(find_teacher, device=torch.device("cpu"), sample_rate=phase.data.sample_rate)
    objective = fitted(taught(found[0].build(), find), grid, num_stems=len(result.separator.stems))
    learned(objective).load_state_dict({name.split(".")[-1]: value for name, value in result.learned.items()})
    return objective.project if isinstance(objective, LatentRegulariser) else None


def latents_of(
    separator: Separator, mixture: Float[Tensor, "channel time"], project: Project | None
) -> Float[Tensor, "stem feature frame"]:
    """All latents of a mixture, chunk after chunk; mapped if there is a map.

    Raises:
        ValueError: if the separator offers none.
    """
    pieces: list[Tensor] = []
    with torch.no_grad():
        step = round(_CHUNK_SECONDS * separator.sample_rate)
        for start in range(0, mixture.shape[-1], step):
            latents = separator(mixture[None, :, start : start + step]).latents
            if latents is None:
                raise ValueError(f"a {type(separator).__name__} offers no latents")
            pieces.append((project(latents) if project else latents)[0].float())
    return torch.cat(pieces, dim=-1)


def features_of(
    listener: str, sources: Float[Tensor, "stem channel time"], separator: Separator
) -> Float[Tensor, "stem feature frame"]:
    """What a listener makes of true stems, on the separator's frames."""
    teacher = ListenerTeacher(load_listener(listener), sample_rate=separator.sample_rate)
    grid = separator.latent_grid
    features = teacher(sources)
    if grid is None:
        return features
    index = frame_index(
        int(sources.shape[-1] / separator.sample_rate / grid.hop_seconds),
        hop_seconds=grid.hop_seconds,
        long_hop_seconds=teacher.hop_seconds,
        num_long_frames=features.shape[-1],
        offset_seconds=torch.zeros(len(features)),
    )
    return repeat_frames(features, index)


def write_analysis(songs: Sequence[Labelled], folder: Path, name: str, *, frame_step: int) -> Clusters:
    """Cluster the latents of all songs, and put those of the first one into the plane."""
    items, labels = list[Tensor](), list[str]()
    first: int = 0
    for song in songs:
        for stem, values in zip(song.stems, song.values, strict=True):
            thinned = values[:, ::frame_step].T
            items.append(thinned)
            labels += [stem] * len(thinned)
        first = first or len(labels)
    everything = torch.cat(items)
    chosen = range(0, len(labels), -(-len(labels) // _MOST_CLUSTERED))
    analysis = cluster_latents(everything[list(chosen)], [labels[number] for number in chosen])
    clusters = Clusters(
        labels=analysis.labels,
        accuracy=round(analysis.accuracy, 4),
        confusion=tuple(tuple(int(value) for value in row) for row in analysis.confusion),
        num_items=len(chosen),
    )
    write_json_atomically(folder / f"{name}.json", clusters.model_dump(mode="json"))
    places = project_latents(everything[:first], labels[:first], max_items=_MOST_DRAWN)
    lines = [
        f"{label},{float(place[0]):.2f},{float(place[1]):.2f}\n"
        for label, place in zip(places.labels, places.places, strict=True)
    ]
    write_text_atomically(folder / f"{name}.csv", "stem,x,y\n" + "".join(lines))
    return clusters
