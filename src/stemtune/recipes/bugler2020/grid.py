"""The study's cells, in the order in which they tell most.

    scratch/TASK/seed-S                     the baselines
    pretrain/CORPUS-AUGMENTATION/seed-S     deep clustering
    whole/TASK/CORPUS-AUGMENTATION/seed-S   fine-tuned, everything moves
    mask/TASK/CORPUS-AUGMENTATION/seed-S    fine-tuned, the mask head moves

First the baselines and pre-training without augmentation, one seed after the other (H1, R1); then the mask models of
the first seed (R2); then the augmentations (H2), with masks as well, for the whole of Table 2.
"""

from collections.abc import Iterator
from functools import partial

from stemtune.recipes.bugler2020 import experiments
from stemtune.recipes.bugler2020.corpora import AUGMENTATIONS, TASKS, Corpora, augmented
from stemtune.recipes.bugler2020.examination import ExcerptExamination, ExcerptExaminationConfig
from stemtune.recipes.bugler2020.scales import Scale
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Cell, Study

__all__ = ["bugler2020"]

NAME = "bugler2020"


def bugler2020(scale: Scale, corpora: Corpora, places: Places) -> Study:
    """The whole study at a scale."""
    return Study(name=NAME, scale=scale.name, cells=tuple(_Grid(scale, corpora, places).cells()))


class _Grid:
    """Makes the cells."""

    def __init__(self, scale: Scale, corpora: Corpora, places: Places) -> None:
        self._scale, self._corpora, self._places = scale, corpora, places

    def cells(self) -> Iterator[Cell]:
        first = self._scale.headline_seeds[0]
        for seed in self._scale.headline_seeds:
            yield from (self._scratch(task, seed) for task in TASKS)
            for corpus in self._corpora.pretraining:
                yield self._pretrain(corpus, "none", seed)
                yield from (self._finetune("whole", task, corpus, "none", seed) for task in TASKS)
            if seed == first:
                for corpus in self._corpora.pretraining:
                    yield from (self._finetune("mask", task, corpus, "none", seed) for task in TASKS)
        for augmentation in AUGMENTATIONS[1:]:
            for corpus in self._corpora.pretraining:
                yield self._pretrain(corpus, augmentation, first)
                for kind in ("whole", "mask"):
                    yield from (self._finetune(kind, task, corpus, augmentation, first) for task in TASKS)

    def _pretrain(self, corpus: str, augmentation: str, seed: int) -> Cell:
        name = f"pretrain/{corpus}-{augmentation}/seed-{seed}"
        data = augmented(self._corpora.pretraining[corpus], augmentation)
        return Cell(
            name=name,
            experiment=experiments.pretrain(self._scale, data, name=name, seed=seed),
            minutes=self._scale.pretrain_steps * self._scale.step_seconds / 60,
        )

    def _finetune(self, kind: str, task: str, corpus: str, augmentation: str, seed: int) -> Cell:
        scale = self._scale
        start = f"pretrain/{corpus}-{augmentation}/seed-{seed}"
        name = f"{kind}/{task}/{corpus}-{augmentation}/seed-{seed}"
        experiment = experiments.finetune(
            scale,
            self._corpora.tasks[task].training,
            name=name,
            seed=seed,
            model=self._places.model(start),
            mask_only=kind == "mask",
        )
        step_seconds = scale.mask_step_seconds if kind == "mask" else scale.step_seconds
        return Cell(
            name=name,
            experiment=experiment,
            needs=(start,),
            examination=partial(self._examine, task),
            glance_every_steps=scale.glance_every_steps,
            steps_before=scale.pretrain_steps,
            minutes=scale.finetune_steps * step_seconds / 60 + scale.examination_minutes,
        )

    def _scratch(self, task: str, seed: int) -> Cell:
        scale = self._scale
        name = f"scratch/{task}/seed-{seed}"
        return Cell(
            name=name,
            experiment=experiments.scratch(scale, self._corpora.tasks[task].training, name=name, seed=seed),
            examination=partial(self._examine, task),
            glance_every_steps=scale.glance_every_steps,
            minutes=scale.scratch_steps * scale.step_seconds / 60 + scale.examination_minutes,
        )

    def _examine(self, task: str) -> ExcerptExamination:
        config = ExcerptExaminationConfig(
            data=self._corpora.tasks[task].test.model_copy(update={"segment_seconds": self._scale.excerpt_seconds}),
            num_excerpts=self._scale.num_excerpts,
            num_glance_excerpts=self._scale.num_glance_excerpts,
            batch_size=self._scale.batch_size,
            precision=self._scale.precision,
        )
        return config.build()
