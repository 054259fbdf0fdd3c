"""The study's cells, in the order in which they tell most.

    pretrain                      the network that knows much music; at the scale "paper" it is public
    codec/STEM/{i,ii}/seed-S      phase 1: (i) from that network, (ii) from scratch
    mixture/STEM/{i,ii,iii}/seed-S  phase 2 onto (i), (ii), or (iii) that network as it is
    mixture/STEM/i-VARIANT/seed-S   phase 2 onto (i), otherwise: from the stem's encoder, from music's, with lmix

All of one seed come before the next seed; the variants, of the first stem and seed, come last.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Cell, Examination, Study
from stemtune.recipes.zai2022.corpora import Corpora
from stemtune.recipes.zai2022.examination import SongExaminationConfig
from stemtune.recipes.zai2022.experiments import auto_encoder, mixture_encoder
from stemtune.recipes.zai2022.scales import MUSIC, Scale
from stemtune.training.phase import Experiment

__all__ = ["EXPERIMENTS", "VARIANTS", "zai2022"]

NAME = "zai2022"
PRETRAIN = "pretrain"
EXPERIMENTS = ("i", "ii", "iii")
VARIANTS = ("i-from-stem", "i-from-music", "i-lmix")


def zai2022(scale: Scale, corpora: Corpora, places: Places, *, pretrained: Path | None = None) -> Study:
    """The whole study at a scale.

    Args:
        scale: how large.
        corpora: what is heard.
        places: where models are.
        pretrained: the model that knows much music, if it is public; else a cell of its own trains it.
    """
    return Study(name=NAME, scale=scale.name, cells=tuple(_Grid(scale, corpora, places, pretrained).cells()))


class _Grid:
    def __init__(self, scale: Scale, corpora: Corpora, places: Places, pretrained: Path | None) -> None:
        self._scale, self._corpora, self._places = scale, corpora, places
        self._public = pretrained
        self._music = pretrained or places.model(PRETRAIN)
        self._first = () if pretrained else (PRETRAIN,)

    def cells(self) -> Iterator[Cell]:
        scale = self._scale
        if not self._public:
            experiment = auto_encoder(
                scale, self._corpora, MUSIC, steps=scale.pretrain_steps, name=PRETRAIN, seed=scale.seeds[0]
            )
            yield self._cell(PRETRAIN, (), experiment, scale.codec_step_seconds, stems=scale.stems)
        for seed in scale.seeds:
            for stem in scale.stems:
                for kind in EXPERIMENTS:
                    if kind != "iii":
                        yield self._codec(stem, kind, seed)
                    yield self._mixture(stem, kind, seed)
        for variant in VARIANTS:
            yield self._mixture(scale.stems[0], variant, scale.seeds[0])

    def _codec(self, stem: str, kind: str, seed: int) -> Cell:
        name = f"codec/{stem}/{kind}/seed-{seed}"
        start = self._music if kind == "i" else None
        experiment = auto_encoder(
            self._scale, self._corpora, stem, steps=self._scale.codec_steps, name=name, seed=seed, start=start
        )
        return self._cell(name, self._first if start else (), experiment, self._scale.codec_step_seconds, stems=(stem,))

    def _mixture(self, stem: str, kind: str, seed: int) -> Cell:
        name = f"mixture/{stem}/{kind}/seed-{seed}"
        source = kind.split("-", 1)[0]
        cell = f"codec/{stem}/{source}/seed-{seed}"
        codec = self._music if kind == "iii" else self._places.model(cell)
        needs = list(self._first) if kind in {"iii", "i-from-music"} else []
        needs += [] if kind == "iii" else [cell]
        experiment = mixture_encoder(
            self._scale,
            self._corpora,
            stem,
            codec=codec,
            name=name,
            seed=seed,
            encoder={"i-from-stem": codec, "i-from-music": self._music}.get(kind),
            measure="lmix" if kind == "i-lmix" else "mse",
        )
        return self._cell(name, tuple(needs), experiment, self._scale.mixture_step_seconds, stems=(stem,))

    def _cell(
        self, name: str, needs: tuple[str, ...], experiment: Experiment, step_seconds: float, *, stems: tuple[str, ...]
    ) -> Cell:
        steps = sum(phase.steps for phase in experiment.phases)
        return Cell(
            name=name,
            experiment=experiment,
            needs=needs,
            examination=partial(self._examine, stems),
            glance_every_steps=max(1, steps // self._scale.glances),
            minutes=steps * step_seconds / 60 + self._scale.examination_minutes,
        )

    def _examine(self, stems: tuple[str, ...]) -> Examination:
        config = SongExaminationConfig(
            path=self._corpora.test.as_posix(),
            split=self._corpora.test_split,
            stems=stems,
            begin_seconds=self._scale.begin_seconds,
            max_seconds=self._scale.max_seconds,
        )
        return config.build()
