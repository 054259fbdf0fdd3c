"""How large: the paper's sizes, and sizes that two cores of a laptop get through in an afternoon.

Total steps are the same with and without pre-training, as in the paper,

    scratch = pre-train + fine-tune,

of which pre-training takes five sixths in the paper, and two thirds on the laptop, where 200 steps of fine-tuning left
pre-trained networks where they began on the chorales, and 600 brought them 1.5 dB further. The laptop's total is a
tenth of the paper's, and what it hears in a step is a thirtieth (8 s instead of 240 s); on five minutes of chorales a
network from scratch stops getting better on the test songs after 700 such steps, so that there is no more to be won by
many. Its embeddings have
ten axes instead of twenty, since the embedding head is half of the work of a step, and are bounded by tanh, because
with sigmoids so few steps learn nothing yet; the paper does not state its activation, and nussl's recipe has sigmoids.
"""

from typing import Literal

from pydantic import Field

from stemtune.config import Frozen
from stemtune.models.chimeranet import ChimeraNetConfig
from stemtune.nn.directions import Bounded

__all__ = ["LAPTOP", "PAPER", "SCALES", "Scale", "ScaleName"]

ScaleName = Literal["paper", "laptop"]


class Scale(Frozen):
    """Everything that differs between the scales, but for the corpora."""

    name: ScaleName
    hidden_size: int
    num_layers: int
    embedding_size: int
    embedding_activation: Bounded
    pretrain_steps: int
    finetune_steps: int
    batch_size: int
    segment_seconds: float = Field(description="that is learnt from")
    excerpt_seconds: float = Field(description="that is examined")
    precision: Literal["float32", "bfloat16"]
    headline_seeds: tuple[int, ...] = Field(description="of scratch models, and of pre-training without augmentation")
    glance_every_steps: int = Field(description="between points of a fine-tuned model's curve")
    num_excerpts: int = Field(description="of the examination")
    num_glance_excerpts: int = Field(description="of each point of a curve")
    step_seconds: float = Field(description="of a step in which everything moves, for the plan; measured")
    mask_step_seconds: float = Field(description="of a step in which only the mask head moves")
    examination_minutes: float

    @property
    def scratch_steps(self) -> int:
        """Of the baselines."""
        return self.pretrain_steps + self.finetune_steps

    def network(self, stems: tuple[str, ...]) -> ChimeraNetConfig:
        """The network of this scale for some stems."""
        return ChimeraNetConfig(
            stems=stems,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            embedding_size=self.embedding_size,
            embedding_activation=self.embedding_activation,
        )


PAPER = Scale(
    name="paper",
    hidden_size=500,
    num_layers=4,
    embedding_size=20,
    embedding_activation="sigmoid",
    pretrain_steps=10_000,
    finetune_steps=2_000,
    batch_size=24,
    segment_seconds=10.0,
    excerpt_seconds=10.0,
    precision="bfloat16",
    headline_seeds=(0, 1, 2),
    glance_every_steps=100,
    num_excerpts=1000,
    num_glance_excerpts=100,
    step_seconds=51.0,
    mask_step_seconds=12.0,
    examination_minutes=10.0,
)
LAPTOP = Scale(
    name="laptop",
    hidden_size=128,
    num_layers=2,
    embedding_size=10,
    embedding_activation="tanh",
    pretrain_steps=800,
    finetune_steps=400,
    batch_size=8,
    segment_seconds=1.0,
    excerpt_seconds=2.0,
    precision="bfloat16",
    headline_seeds=(0, 1, 2),
    glance_every_steps=50,
    num_excerpts=1000,
    num_glance_excerpts=48,
    step_seconds=0.15,
    mask_step_seconds=0.07,
    examination_minutes=0.5,
)
SCALES: dict[ScaleName, Scale] = {"paper": PAPER, "laptop": LAPTOP}
