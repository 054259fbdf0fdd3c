"""What a separator makes of a stem shall resemble what a listener makes of it.

A listener (`models.base.Listener`) describes each true stem ``j`` once a second by a vector ``v_j``; in each frame the
separator has a latent ``l_i`` for each stem, which a shared linear map ``f`` brings to the listener's width. Con-Reg
pulls both together and keeps different stems apart; Dis-Reg lets two stems be no more alike than the listener finds:

    L_con = mean over i, j of    1 - cos(f(l_i), v_j)             if i = j,
                                 max(cos(f(l_i), v_j) - alpha, 0) else,
    L_dis = mean over i < j of   max( D(f(l_i), f(l_j)) - D(v_i, v_j), 0 ),

over frames and examples as well. The listener is frozen; ``f`` learns with the separator and is of no use afterwards.
In a `WeightedSum` the paper's weights are 1e-6 for Con-Reg and 1 for Dis-Reg.

What separators with one latent for all stems offer (a trunk, a bottleneck) is mapped by an ``f`` for each stem.

References:
    Hung and Lerch, "Feature-informed latent space regularization for music source separation", 2022, Eq. 1 and 2.

Deviations:
    The paper calls D a distance, with which the equation would pull different instruments together; its prose (a soft
    margin in the place of alpha, more separate instruments) wants a similarity, which is the default here. A stem that
    is silent has the features of silence, which are the same for all such stems; ``skip_silent`` leaves out the pairs
    of examples in which it is silent throughout. Cosines with a vector of zeros are zero.
"""

from collections.abc import Callable
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from stemtune.config import Config
from stemtune.errors import ConfigError
from stemtune.objectives.base import FindTeacher, ListeningTeacher, Objective
from stemtune.signal.repetition import frame_index
from stemtune.types import Batch, Estimate, Heard, LatentGrid, Loss

__all__ = [
    "CON_REG_WEIGHT",
    "DIS_REG_WEIGHT",
    "ConRegConfig",
    "DisRegConfig",
    "LatentRegulariser",
    "con_reg",
    "dis_reg",
]

CON_REG_WEIGHT, DIS_REG_WEIGHT = 1e-6, 1.0  # lambda, as the paper found by search
_SMALLEST_LENGTH = 1e-8

Vectors = Float[Tensor, "batch stem feature frame"]
Features = Float[Tensor, "batch stem feature long_frame"]
Places = Int[Tensor, "batch stem frame"]
Pairs = Float[Tensor, "batch stem other frame"]


class ListeningConfig(Config[Objective]):
    """What both objectives have in common: whom they ask, and how."""

    listener: str = Field(description="the name or the folder of a listener")
    resample: bool = Field(
        default=True, description="to the listener's rate; False refuses separators that work at another"
    )
    skip_silent: bool = Field(default=False, description="leave out stems that an example does not have")


class ConRegConfig(ListeningConfig):
    """Contrastive regularisation: the module's first equation."""

    kind: Literal["con_reg"] = "con_reg"
    margin: float = Field(default=0.2, ge=-1, le=1, description="alpha: how alike different stems may be")

    def build(self) -> "LatentRegulariser":
        """The objective, still without its listener."""
        margin = self.margin
        return LatentRegulariser(
            self, "con_reg", lambda latents, heard, index: con_reg(latents, heard, index, margin=margin)
        )


class DisRegConfig(ListeningConfig):
    """Distance-based regularisation: the module's second equation."""

    kind: Literal["dis_reg"] = "dis_reg"
    reading: Literal["similarity", "distance"] = Field(
        default="similarity", description="of D: similarity is what the paper means, distance what it writes"
    )

    def build(self) -> "LatentRegulariser":
        """The objective, still without its listener."""
        sign = 1.0 if self.reading == "similarity" else -1.0
        return LatentRegulariser(
            self, "dis_reg", lambda latents, heard, index: dis_reg(latents, heard, index, sign=sign)
        )


def con_reg(latents: Vectors, heard: Features, index: Places, *, margin: float) -> Pairs:
    """Con-Reg's summands, of vectors of length one: stem ``i`` of the latents against stem ``j`` of the features.

    Args:
        latents: mapped to the listener's width.
        heard: the listener's, in its own frames.
        index: which of these each frame of the latents lies in, for each stem.
        margin: alpha.
    """
    cosines = _against_heard(latents, heard, index)
    own = torch.eye(cosines.shape[1], dtype=torch.bool, device=cosines.device)[:, :, None]
    return torch.where(own, 1 - cosines, (cosines - margin).clamp_min(0))


def dis_reg(latents: Vectors, heard: Features, index: Places, *, sign: float = 1.0) -> Pairs:
    """Dis-Reg's summands, of vectors of length one: pairs of stems, once each way and nothing with itself.

    Args:
        latents: mapped to the listener's width.
        heard: the listener's, in its own frames.
        index: which of these each frame of the latents lies in, for each stem.
        sign: 1 compares similarities, -1 distances (1 - similarity).
    """
    excess = (sign * (_among_latents(latents) - _among_heard(heard, index))).clamp_min(0)
    return excess * (1 - torch.eye(excess.shape[1], device=excess.device))[:, :, None]


class LatentRegulariser:
    """Either objective, once it has been handed its listener (`taught`) and knows the latents' sizes (`fitted`).

    Args:
        config: whom it asks.
        name: of its loss in the log.
        measure: the summands of all pairs of stems, of latents, features and the latter's places.
        listener: see `taught`.
        grid: see `fitted`.
        projection: f.
    """

    needs = frozenset({"latents"})

    def __init__(
        self,
        config: ConRegConfig | DisRegConfig,
        name: str,
        measure: Callable[[Tensor, Tensor, Tensor], Tensor],
        *,
        listener: ListeningTeacher | None = None,
        grid: LatentGrid | None = None,
        projection: nn.Conv1d | None = None,
    ) -> None:
        self._config, self._name, self._measure = config, name, measure
        self._listener, self._grid, self._projection = listener, grid, projection

    def taught(self, find: FindTeacher) -> "LatentRegulariser":
        """The same objective with its listener.

        Raises:
            ConfigError: if the model of that name is no listener, or hears at another rate and may not be helped.
        """
        listener = find(self._config.listener)
        if not isinstance(listener, ListeningTeacher):
            raise ConfigError(f"{self._config.listener}: is no listener; {self._name} needs one")
        require_rate(self._config, own_rate=listener.own_rate, sample_rate=listener.sample_rate)
        return LatentRegulariser(self._config, self._name, self._measure, listener=listener)

    def fitted(self, grid: LatentGrid | None, *, num_stems: int) -> "LatentRegulariser":
        """The same objective with a fresh map from such latents to the listener's features.

        Raises:
            ConfigError: if it has no listener yet, there are no latents, or there is one stem only.
        """
        if self._listener is None:
            raise ConfigError(f"{self._name} has no listener yet; it needs one before it can be fitted to latents")
        if grid is None:
            raise ConfigError(f"{self._name} needs a separator that offers latents and states their sizes")
        if num_stems < 2:
            raise ConfigError(f"{self._name} compares stems with each other and needs at least two; got {num_stems}")
        outputs = self._listener.width * (num_stems if grid.num_latents == 1 else 1)
        projection = nn.Conv1d(grid.width, outputs, 1)
        return LatentRegulariser(
            self._config, self._name, self._measure, listener=self._listener, grid=grid, projection=projection
        )

    def learned(self) -> nn.Module:
        """The map f."""
        return nn.Module() if self._projection is None else self._projection

    def project(
        self, latents: Float[Tensor, "batch item feature frame"]
    ) -> Float[Tensor, "batch stem listener_feature frame"]:
        """f: latents of any separator at the listener's width, one for each stem.

        Raises:
            ConfigError: if it is not fitted yet.
        """
        _, grid, projection = self._prepared()
        mapped = projection(rearrange(latents, "batch item feature frame -> (batch item) feature frame"))
        axes = "batch (stem feature) frame" if grid.num_latents == 1 else "(batch stem) feature frame"
        sizes = {"stem": mapped.shape[1] // self._width} if grid.num_latents == 1 else {"batch": latents.shape[0]}
        return rearrange(mapped, f"{axes} -> batch stem feature frame", **sizes)

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """The loss of one batch.

        Raises:
            ConfigError: if there is no listener, or the separator offers no latents.
        """
        _, grid, _ = self._prepared()
        if estimate.latents is None:
            raise ConfigError(f"{self._name} needs Estimate.latents, and the separator's estimate has none")
        heard = batch.heard.get(self._config.listener) or self._listen(batch)
        latents = _directions(self.project(estimate.latents.float()))
        index = frame_index(
            latents.shape[-1],
            hop_seconds=grid.hop_seconds,
            long_hop_seconds=self._hop_seconds,
            num_long_frames=heard.features.shape[-1],
            offset_seconds=heard.offset_seconds,
        )
        pairs = self._measure(latents, _directions(heard.features.detach().float()), index)
        present = batch.present if self._config.skip_silent else None
        total = _mean(pairs, present, with_itself=isinstance(self._config, ConRegConfig))
        return Loss(total=total, parts={self._name: total.item()})

    def _listen(self, batch: Batch) -> Heard:
        listener, _, _ = self._prepared()
        with torch.no_grad():
            features = listener(rearrange(batch.sources, "batch stem channel time -> (batch stem) channel time"))
        features = rearrange(features, "(batch stem) feature frame -> batch stem feature frame", stem=len(batch.stems))
        return Heard(features, features.new_zeros(features.shape[:2]))

    def _prepared(self) -> tuple[ListeningTeacher, LatentGrid, nn.Conv1d]:
        if self._listener is None or self._grid is None or self._projection is None:
            raise ConfigError(
                f"{self._name} needs a listener and the sizes of the separator's latents before its first batch; "
                "the separator may offer none"
            )
        return self._listener, self._grid, self._projection

    @property
    def _width(self) -> int:
        return self._prepared()[0].width

    @property
    def _hop_seconds(self) -> float:
        return self._prepared()[0].hop_seconds


def require_rate(config: ConRegConfig | DisRegConfig, *, own_rate: int, sample_rate: int) -> None:
    """Refuse a listener of another rate than the separator's, if sound may not be resampled for it.

    Raises:
        ConfigError: naming both rates.
    """
    if not config.resample and own_rate != sample_rate:
        raise ConfigError(
            f"{config.listener}: the listener hears at {own_rate} Hz, the separator works at {sample_rate} Hz; set "
            "resample to true, or use a listener of the same rate"
        )


def _directions(vectors: Vectors) -> Vectors:
    """Vectors of length one; zero stays zero."""
    return functional.normalize(vectors, dim=2, eps=_SMALLEST_LENGTH)


def _against_heard(latents: Vectors, heard: Features, index: Places) -> Pairs:
    """Cosines of every latent with the features of its time: one product with all features, then those are taken."""
    stems, long_frames = heard.shape[1], heard.shape[-1]
    every = rearrange(heard, "batch other feature long_frame -> batch feature (other long_frame)")
    rows = rearrange(latents, "batch stem feature frame -> batch (stem frame) feature")
    table = (rows @ every).view(latents.shape[0], stems, latents.shape[-1], stems, long_frames)
    taken = rearrange(index, "batch other frame -> batch 1 frame other 1").expand(*table.shape[:-1], 1)
    return rearrange(table.gather(-1, taken), "batch stem frame other 1 -> batch stem other frame")


def _among_latents(latents: Vectors) -> Pairs:
    """Cosines of different stems, frame by frame, each pair once, since products of tiny matrices are slow."""
    each = latents.unbind(dim=1)
    rows = [[latents.new_zeros(latents.shape[0], latents.shape[-1]) for _ in each] for _ in each]
    for i, one in enumerate(each):
        for j in range(i):
            rows[i][j] = rows[j][i] = (one * each[j]).sum(dim=1)
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def _among_heard(heard: Features, index: Places) -> Pairs:
    """The same of the features of each time: all are compared in their own few frames, then those are taken."""
    stems, long_frames = heard.shape[1], heard.shape[-1]
    every = rearrange(heard, "batch stem feature long_frame -> batch (stem long_frame) feature")
    table = every @ every.transpose(1, 2)
    places = index + torch.arange(0, stems * long_frames, long_frames, device=index.device)[:, None]
    examples = torch.arange(heard.shape[0], device=index.device)[:, None, None, None]
    return table[examples, places[:, :, None], places[:, None]]


def _mean(pairs: Pairs, present: Bool[Tensor, "batch stem"] | None, *, with_itself: bool) -> Float[Tensor, ""]:
    """Over examples, frames and pairs of stems, of those that are there; zero if there are none."""
    batch, stems, _, frames = pairs.shape
    there = torch.ones(batch, stems, device=pairs.device) if present is None else present.to(pairs.dtype)
    both = there[:, :, None] * there[:, None, :]
    if not with_itself:
        both = both * (1 - torch.eye(stems, device=pairs.device))
    return (pairs * both[..., None]).sum() / (frames * both.sum()).clamp_min(1)
