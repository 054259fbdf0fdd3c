"""Making the plan: listen, divide, choose, and time a few steps.

The seconds of a step are measured here and now, so that a slower machine learns for fewer steps rather than for longer.
The result is in the plan: ``--steps`` makes it the same on every machine.
"""

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from stemtune.data.audit.markdown import to_markdown
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.files import write_text_atomically
from stemtune.data.segments import find_active
from stemtune.data.tracks import Track
from stemtune.errors import ConfigError, UsageError
from stemtune.evaluation.streams import file_state
from stemtune.hub import find_card, load
from stemtune.hub.registry import find_folder
from stemtune.models import Separator, SeparatorConfig
from stemtune.models.bandnet import BandNetConfig
from stemtune.recipes.adapt.families import Family, find_family, quick_precision
from stemtune.recipes.adapt.material import REST, Material, examine, find_tracks
from stemtune.recipes.adapt.pace import NUM_LOOKS, with_steps
from stemtune.recipes.adapt.plan import SCRATCH, AdaptRequest, Plan, experiment_of, read_plan, write_plan
from stemtune.recipes.adapt.preparing import prepare
from stemtune.recipes.adapt.rules import find_rule
from stemtune.recipes.adapt.strategies import find_strategy
from stemtune.separation.stream import separate_waveform
from stemtune.training.loop import Observer
from stemtune.training.phase import Execution
from stemtune.training.run import train

__all__ = ["make_plan"]

_LONG_BUDGET_MINUTES = 20.0
_TIMED_STEPS = 4
_LIKENESS, _LIKE_SECONDS, _LIKE_RECORDINGS = 0.5, 8.0, 3
_TELEPHONE_RATIO = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Start:
    """The starting model; nothing but the configuration if there is none."""

    separator: Separator | None
    config: SeparatorConfig
    name: str
    folder: Path | None
    sha256: str


def make_plan(request: AdaptRequest, folder: Path, *, execution: Execution, say: Say) -> Plan:
    """The plan in the folder, or a new one.

    Args:
        request: what is wanted.
        folder: of the adaptation.
        execution: on which device, with how many threads.
        say: is told what was found.

    Raises:
        InputError: if the recordings cannot teach anything.
        UsageError: if the starting model cannot be adapted, or a strategy does not exist.
        ConfigError: if the strategy does not work with the model, or the folder holds another adaptation.
    """
    kept = read_plan(folder, request)
    if kept is not None:
        _require_same(kept)
        return kept
    if request.strategy is not None:
        find_strategy(request.strategy)
    start = _open_start(request)
    family = find_family(start.config)
    tracks, _ = find_tracks(Path(request.stems), split=request.split, layout=request.layout)
    say(f"listening to {request.stems}")
    material = examine(Path(request.stems), split=request.split, layout=request.layout)
    rule = find_rule(material.rarest_minutes)
    changes = {"strategy": request.strategy or rule.strategy}
    rule = rule.model_copy(update=changes if start.separator else {"strategy": SCRATCH})
    write_text_atomically(folder / "audit.md", to_markdown(material.report))
    stems, origins = _stems(start, material, family)
    halvings = 2 if request.budget_minutes >= _LONG_BUDGET_MINUTES else 1
    prepared = prepare(material, folder / "work", num_folds=request.num_folds, num_halvings=halvings)
    remarks = (*material.remarks, *prepared.remarks, *_rate_remarks(start.config, material))
    draft = Plan(
        request=request,
        data_state=_state_of(tracks),
        base_name=start.name,
        base_folder=None if start.folder is None else str(start.folder),
        base_sha256=start.sha256,
        model=start.config.override({"stems": list(stems)}),
        origins=origins,
        rule=rule,
        active_minutes=material.active_minutes,
        minutes=material.minutes,
        folds=tuple(map(str, prepared.folds)),
        smaller=tuple(tuple(map(str, tables)) for tables in prepared.smaller),
        everything=str(prepared.everything),
        heard_minutes=tuple(seconds / 60 for seconds in prepared.heard_seconds),
        is_cut=prepared.is_cut,
        is_made=prepared.is_made,
        num_units=prepared.num_units,
        segment_seconds=max(0.2, min(family.segment_seconds, 0.9 * prepared.longest_seconds)),
        has_songs=bool(material.songs),
        precision=quick_precision(family),
        steps=request.steps or _TIMED_STEPS,
        look_every=math.ceil((request.steps or _TIMED_STEPS) / NUM_LOOKS),
        step_seconds=0.0,
        remarks=remarks,
    )
    say(f"timing a training step ({rule.strategy})")
    plan = with_steps(draft, _seconds_of_a_step(draft, folder / "work" / "timing", execution))
    write_plan(plan, folder)
    return plan


def _open_start(request: AdaptRequest) -> _Start:
    if request.base == SCRATCH:
        if request.strategy not in (None, SCRATCH):
            raise UsageError(f"--from scratch and the strategy {request.strategy!r} exclude each other")
        if request.save == "adapter":
            raise UsageError("an adapter needs a base, and training from scratch has none; keep the whole model")
        return _Start(None, BandNetConfig(), "", None, "")
    if request.strategy == SCRATCH:
        raise UsageError("the strategy 'scratch' starts from nothing: say --from scratch")
    folder = find_folder(request.base)
    card, separator = find_card(folder), load(folder)
    return _Start(separator, separator.config, card.name, folder, card.weights_sha256)


def _require_same(plan: Plan) -> None:
    """Neither the recordings nor the starting model have changed since the plan was made."""
    base = plan.base_folder
    if base is not None and find_card(Path(base)).weights_sha256 != plan.base_sha256:
        raise ConfigError(f"the model {plan.base_name!r} has changed since this was begun; choose another --out")
    tracks, _ = find_tracks(Path(plan.request.stems), split=plan.request.split, layout=plan.request.layout)
    if _state_of(tracks) != plan.data_state:
        raise ConfigError(f"{plan.request.stems}: recordings have changed since this was begun; choose another --out")


def _state_of(tracks: Sequence[Track]) -> str:
    digest = hashlib.sha256()
    files = {path for track in tracks for paths in (*track.stems.values(), (track.mixture,)) for path in paths if path}
    for state in sorted(f"{path.parent.name}/{file_state(path)}" for path in files):
        digest.update(state.encode())
    return digest.hexdigest()[:16]


def _stems(start: _Start, material: Material, family: Family) -> tuple[tuple[str, ...], dict[str, str | None] | None]:
    """The stems of the model, and where each of them starts."""
    if start.separator is None:
        return material.stems, None
    if set(start.config.stems) == set(material.stems):
        return start.config.stems, None
    origins = _likenesses(start.separator, material)
    strangers = [stem for stem, origin in origins.items() if origin is None]
    if strangers and not family.fresh_stems:
        raise UsageError(
            f"{start.name} cannot learn the stem {strangers[0]!r}: it needs an auto-encoder for each stem, which it "
            f"has for {', '.join(start.config.stems)} only, and which takes hours of isolated recordings; choose "
            "another model with --from"
        )
    return material.stems, origins


def _likenesses(separator: Separator, material: Material) -> dict[str, str | None]:
    """For each stem the one of the starting model that has its name, or takes most of it when it sounds alone."""
    origins: dict[str, str | None] = {}
    reader = ExcerptReader(sample_rate=separator.sample_rate, channels=separator.channels)
    for stem in material.stems:
        if stem in separator.stems:
            origins[stem] = stem
        elif stem == REST:
            origins[stem] = "other" if "other" in separator.stems else None
        else:
            shares = _shares(
                separator, [t for t in (*material.songs, *material.recordings) if stem in t.stems], stem, reader
            )
            best = max(shares, key=lambda name: shares[name])
            origins[stem] = best if shares[best] >= _LIKENESS else None
    return origins


def _shares(separator: Separator, tracks: Sequence[Track], stem: str, reader: ExcerptReader) -> Mapping[str, float]:
    """What part of a stem's energy each of the model's stems takes."""
    energies = dict.fromkeys(separator.stems, 0.0)
    num_samples = round(_LIKE_SECONDS * separator.sample_rate)
    for number, track in enumerate(tracks[:_LIKE_RECORDINGS]):
        generator = np.random.default_rng(number)
        alone = find_active(reader, track, stem, generator, num_samples=num_samples, min_level_db=-45.0, tries=6)
        answers = separate_waveform(separator, alone.samples, sample_rate=separator.sample_rate)
        for name, answer in zip(separator.stems, answers, strict=True):
            energies[name] += float(answer.square().sum())
    total = sum(energies.values()) or 1.0
    return {name: energy / total for name, energy in energies.items()}


def _rate_remarks(config: SeparatorConfig, material: Material) -> list[str]:
    """What low or differing rates mean."""
    rates = sorted({track.sample_rate for track in (*material.songs, *material.recordings)})
    if rates == [config.sample_rate]:
        return []
    named = ", ".join(str(rate) for rate in rates)
    words = f"recordings of {named} Hz are resampled to the model's {config.sample_rate} Hz"
    if rates[-1] < _TELEPHONE_RATIO * config.sample_rate:
        words += f"; they hold nothing above {rates[-1] / 2000:g} kHz, so what lies there cannot be learnt"
    return [words]


def _seconds_of_a_step(draft: Plan, folder: Path, execution: Execution) -> float:
    """Measured over some steps, without the first."""
    experiment = experiment_of(draft, draft.folds[0], name="timing")
    if draft.request.steps is not None:
        return 0.0
    times: list[float] = []
    shutil.rmtree(folder, ignore_errors=True)
    quick = execution.model_copy(update={"check_data": False})

    def look(phase: int, step: int, network: Separator) -> None:
        del phase, step, network
        times.append(time.monotonic())

    watch = Observer(1, look)
    if not train(experiment, folder, execution=quick, quiet=True, observer=watch).finished:
        raise KeyboardInterrupt
    shutil.rmtree(folder, ignore_errors=True)
    return min(after - before for before, after in pairwise(times))
