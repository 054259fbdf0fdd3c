"""What a user means by the name of something to be evaluated.

    mixture | oracle-irm | oracle-mwf | a model's name or folder | a folder of estimates

are tried in this order, so a command means the same wherever it is given; a folder that is called ``mixture`` is
reached as ``./mixture``.
"""

from fnmatch import fnmatchcase
from pathlib import Path

from stemtune.data.datasets import Layout, open_dataset
from stemtune.data.tracks import Track
from stemtune.errors import InputError
from stemtune.evaluation.model_systems import ModelSystem
from stemtune.evaluation.oracle import ORACLES, OracleSystem
from stemtune.evaluation.systems import MIXTURE_SYSTEM, EstimatesSystem, MixtureSystem, System
from stemtune.hub.registry import find_folder, model_folders, model_inside
from stemtune.separation.options import SeparationOptions

__all__ = ["open_system", "open_tracks"]


def open_system(text: str, *, options: SeparationOptions | None = None, fit: bool = False) -> System:
    """The system that a user means.

    Args:
        text: ``mixture``, ``oracle-irm`` or ``oracle-mwf``; a model's name; or the folder of a model or of estimates.
        options: of a model's separations.
        fit: take estimates of any rate, length and number of channels, and make them fit.

    Raises:
        UsageError: for a name that is none of these.
        WeightsError: for a model that cannot be loaded.
    """
    if text == MIXTURE_SYSTEM:
        return MixtureSystem()
    if text in ORACLES:
        return OracleSystem(text)
    folder = Path(text).expanduser()
    if text not in model_folders() and folder.is_dir() and model_inside(folder) is None:
        return EstimatesSystem(folder, name=text, fit=fit)
    return ModelSystem(find_folder(text), name=text, options=options or SeparationOptions())


def open_tracks(
    path: Path, *, split: str | None = None, layout: Layout | None = None, pattern: str = "*"
) -> tuple[Track, ...]:
    """The tracks of a data set whose names fit, and of which stems are known.

    Args:
        path: a folder of songs or stems, or a CSV; see `stemtune.data.datasets`.
        split: which of its splits; all if None.
        layout: what its folders are, if that cannot be told from their names.
        pattern: of names, such as ``[A-M]*``; of a track ``test/Song`` also the last part counts.

    Raises:
        InputError: if there is nothing, or nothing that fits.
        UsageError: for a split that does not exist.
    """
    tracks = open_dataset(path, split=split, layout=layout)
    chosen = [t for t in tracks if fnmatchcase(t.name, pattern) or fnmatchcase(t.name.rpartition("/")[2], pattern)]
    if not chosen:
        names = ", ".join(track.name for track in tracks[:4])
        raise InputError(
            f"{path}: none of its {len(tracks)} tracks fits the pattern {pattern!r}; they are {names}, ..."
        )
    labelled = tuple(track for track in chosen if track.is_labelled)
    if not labelled:
        raise InputError(f"{path}: only mixtures, without stems to compare with; give songs with their true stems")
    return labelled
