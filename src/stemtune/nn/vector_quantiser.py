"""A codebook that follows what it is asked to quantise.

Every latent vector is replaced by the nearest code, and gradients pass as if nothing had happened. The codes are not
learnt by gradients: each is the running mean of the vectors that chose it, and a code that hardly any vector chooses
starts again at a random vector of the batch:

    counts <- decay counts + (1 - decay) chosen,   sums likewise,   code = sums / counts  where counts >= threshold.

References:
    van den Oord, Vinyals and Kavukcuoglu, "Neural discrete representation learning", 2017 (appendix A.1).
    Dhariwal et al., "Jukebox", 2020 (section 3, appendix B.1): random restarts, decay .99, 2048 codes of 64.

Deviations:
    The running sums and counts are saved with the codes, so that training continues where it stopped. Vectors and
    counts are summed over all processes before the update, and the first process's restarts are everybody's: all
    processes keep the same codebook. Vectors that are not finite teach nothing, and so cannot spoil it for ever.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, distributed, nn
from torch.nn import functional

from stemtune.config import Config

__all__ = ["CodebookUse", "Quantised", "VectorQuantiser", "VectorQuantiserConfig"]

_VECTORS_AT_ONCE = 256  # so that their distances from all codes stay in the cache


@dataclass(frozen=True)
class Quantised:
    """What became of some latents.

    Attributes:
        vectors: ``batch feature frame``, the codes' vectors with the gradient of the latents.
        codes: ``batch frame``, which codes they are.
        commitment: the mean squared distance that pulls the latents towards their codes (and not the codes).
    """

    vectors: Float[Tensor, "batch feature frame"]
    codes: Int[Tensor, "batch frame"]
    commitment: Float[Tensor, ""]


@dataclass(frozen=True)
class CodebookUse:
    """How much of a codebook is in use.

    Attributes:
        used: the share of all codes that were chosen at all.
        perplexity: exp(entropy) of how often; as many equally frequent codes would be as varied.
    """

    used: float
    perplexity: float


class VectorQuantiserConfig(Config["VectorQuantiser"]):
    """The codebook's size and how it follows."""

    num_codes: int = Field(default=2048, ge=2, le=32768)
    features: int = Field(default=64, ge=1)
    decay: float = Field(default=0.99, gt=0, lt=1, description="of the running means, per training step")
    threshold: float = Field(default=1.0, ge=0, description="running count below which a code starts again")

    def build(self) -> "VectorQuantiser":
        """An empty codebook, which fills itself from the first batch that it hears in training."""
        return VectorQuantiser(self)


class VectorQuantiser(nn.Module):
    """See the module's description. In evaluation mode nothing changes and nothing is learnt."""

    codebook: Float[Tensor, "code feature"]
    sums: Float[Tensor, "code feature"]
    counts: Float[Tensor, " code"]
    filled: Tensor

    def __init__(self, config: VectorQuantiserConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("codebook", torch.zeros(config.num_codes, config.features))
        self.register_buffer("sums", torch.zeros(config.num_codes, config.features))
        self.register_buffer("counts", torch.ones(config.num_codes))
        self.register_buffer("filled", torch.zeros((), dtype=torch.bool))

    def forward(self, latents: Float[Tensor, "batch feature frame"]) -> Quantised:
        """Quantise; in training mode, then also follow.

        The answer comes from the codebook as it was before following.
        """
        exact = _at_least_single(latents)
        vectors = rearrange(exact.detach(), "batch feature frame -> (batch frame) feature")
        if self.training and not bool(self.filled):
            self._fill(vectors)
        codes = self._nearest(vectors)
        chosen = rearrange(
            functional.embedding(codes, self.codebook),
            "(batch frame) feature -> batch feature frame",
            batch=latents.shape[0],
        )
        commitment = (chosen - exact).square().mean()
        if self.training:
            self._follow(vectors, codes)
        codes = rearrange(codes, "(batch frame) -> batch frame", batch=latents.shape[0])
        return Quantised(vectors=exact + (chosen - exact).detach(), codes=codes, commitment=commitment)

    def encode(self, latents: Float[Tensor, "batch feature frame"]) -> Int[Tensor, "batch frame"]:
        """The nearest codes."""
        vectors = rearrange(_at_least_single(latents), "batch feature frame -> (batch frame) feature")
        return rearrange(self._nearest(vectors), "(batch frame) -> batch frame", batch=latents.shape[0])

    def decode(self, codes: Int[Tensor, "batch frame"]) -> Float[Tensor, "batch feature frame"]:
        """The vectors of some codes.

        Raises:
            IndexError: if a code lies outside of the codebook.
        """
        if codes.numel() and (int(codes.min()) < 0 or int(codes.max()) >= self.config.num_codes):
            raise IndexError(f"codes must lie in 0 ... {self.config.num_codes - 1}, got {int(codes.max())}")
        return rearrange(functional.embedding(codes, self.codebook), "batch frame feature -> batch feature frame")

    def use_of(self, codes: Int[Tensor, "batch frame"]) -> CodebookUse:
        """How much of the codebook some codes use."""
        share = torch.bincount(codes.flatten(), minlength=self.config.num_codes).double() / max(1, codes.numel())
        entropy = -(share * share.clamp_min(1e-12).log()).sum()
        return CodebookUse(used=float((share > 0).double().mean()), perplexity=float(entropy.exp()))

    @torch.no_grad()
    def _nearest(self, vectors: Float[Tensor, "item feature"]) -> Int[Tensor, " item"]:
        """Argmin of |x|^2 - 2 x k + |k|^2, in that order of summation and in single precision."""
        with torch.autocast(vectors.device.type, enabled=False):
            codes = self.codebook.T
            lengths = codes.square().sum(dim=0, keepdim=True)
            doubled = 2 * codes  # exact, so it may come first
            found: list[Tensor] = []
            for part in torch.split(vectors, _VECTORS_AT_ONCE):
                distances = part @ doubled
                torch.sub(part.square().sum(dim=1, keepdim=True), distances, out=distances).add_(lengths)
                found.append(distances.argmin(dim=1))
            return torch.cat(found)

    @torch.no_grad()
    def _fill(self, vectors: Float[Tensor, "item feature"]) -> None:
        """Begin with random vectors of the first batch."""
        if not bool(_finite(vectors).any()):
            return
        self.codebook.copy_(_shared(self._candidates(vectors)))
        self.sums.copy_(self.codebook)
        self.counts.fill_(1.0)
        self.filled.fill_(value=True)

    @torch.no_grad()
    def _follow(self, vectors: Float[Tensor, "item feature"], codes: Int[Tensor, " item"]) -> None:
        decay = self.config.decay
        finite = _finite(vectors)
        if not bool(finite.all()):
            vectors, codes = vectors[finite], codes[finite]
        sums = torch.zeros_like(self.sums).index_add_(0, codes, vectors)
        counts = torch.bincount(codes, minlength=self.config.num_codes).to(self.counts.dtype)
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(sums)
            distributed.all_reduce(counts)
        self.sums.mul_(decay).add_(sums, alpha=1 - decay)
        self.counts.mul_(decay).add_(counts, alpha=1 - decay)
        alive = (self.counts >= self.config.threshold)[:, None]
        means = self.sums / self.counts.clamp_min(1e-12)[:, None]
        self.codebook.copy_(torch.where(alive, means, _shared(self._candidates(vectors))))

    def _candidates(self, vectors: Float[Tensor, "item feature"]) -> Float[Tensor, "code feature"]:
        """As many random vectors as there are codes; too few are repeated with a little noise."""
        vectors = vectors[_finite(vectors)]
        if not vectors.shape[0]:
            vectors = self.codebook
        wanted, (have, features) = self.config.num_codes, vectors.shape
        if have < wanted:
            repeated = vectors.repeat(-(-wanted // have), 1)
            vectors = repeated + torch.randn_like(repeated) * (0.01 / features**0.5)
        return vectors[torch.randperm(vectors.shape[0], device=vectors.device)[:wanted]]


def _finite(vectors: Float[Tensor, "item feature"]) -> Tensor:
    """Which vectors are numbers throughout."""
    return torch.isfinite(vectors.sum(dim=1))


def _at_least_single(latents: Tensor) -> Tensor:
    """Distances need more digits than half precision has."""
    return latents.to(torch.promote_types(latents.dtype, torch.float32))


def _shared(candidates: Tensor) -> Tensor:
    """The first process's candidates, in every process."""
    candidates = candidates.contiguous()
    if distributed.is_available() and distributed.is_initialized():
        distributed.broadcast(candidates, src=0)
    return candidates
