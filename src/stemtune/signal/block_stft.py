"""The short-time Fourier transform of a long signal, a few frames at a time.

Spectrograms of whole chunks do not fit into a processor's caches, and fetching fresh memory for them costs more than
the transforms. Some frames are enough to work on: analysis reads them from the padded signal, and synthesis is linear,

    x[t] = sum_n  window[t - n hop] y_n[t - n hop] / sum_n window[t - n hop]^2,

so that the waveform is the sum of what every block of frames contributes. All blocks together equal `stft.stft` and
`stft.istft`. Where hardly any window reaches (the last samples, if windows overlap by half), the sum fades out
instead of amplifying rounding errors.
"""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn import functional

from stemtune.signal.stft import num_frames

__all__ = ["BlockSTFT"]

_SMALLEST_ENVELOPE = 1e-4


@dataclass(frozen=True)
class BlockSTFT:
    """Centred frames of a signal of known length.

    Samples are counted in rows of ``hop_length``; frame ``n`` covers ``rows_per_frame`` rows from row ``n`` on.

    Attributes:
        window: as long as the transform, ``n_fft``.
        hop_length: samples between frames.
        num_samples: length of the signal.
    """

    window: Float[Tensor, "n_fft"]
    hop_length: int
    num_samples: int

    @property
    def n_fft(self) -> int:
        """Samples per frame."""
        return self.window.shape[0]

    @property
    def num_frames(self) -> int:
        """Frames of the signal."""
        return num_frames(self.num_samples, hop_length=self.hop_length)

    @property
    def rows_per_frame(self) -> int:
        """Rows that a frame reaches."""
        return -(-self.n_fft // self.hop_length)

    @property
    def num_rows(self) -> int:
        """Rows that all frames reach together."""
        return self.num_frames + self.rows_per_frame - 1

    def pad(self, waveform: Float[Tensor, "*axes time"]) -> Float[Tensor, "*axes padded_time"]:
        """The signal with half a window on either side: reflected, or zeros if it is too short for that."""
        half = self.n_fft // 2
        flat = waveform.reshape(-1, 1, self.num_samples)
        padded = functional.pad(flat, (half, half), mode="reflect" if self.num_samples > half else "constant")
        return padded.reshape(*waveform.shape[:-1], -1)

    def analyse(
        self, padded: Float[Tensor, "*axes padded_time"], *, first_frame: int, last_frame: int
    ) -> Complex[Tensor, "*axes frame frequency"]:
        """Spectra of the frames from ``first_frame`` up to, not including, ``last_frame``."""
        frames = padded.unfold(-1, self.n_fft, self.hop_length)[..., first_frame:last_frame, :]
        return cast("Tensor", torch.fft.rfft(frames * self.window))

    def synthesise(
        self,
        spectrogram: Complex[Tensor, "*axes frame frequency"],
        *,
        first_frame: int,
        envelope: Float[Tensor, "time"],
    ) -> Float[Tensor, "*axes row hop"]:
        """What these frames contribute to the rows that they reach, beginning with row ``first_frame``."""
        frames = cast("Tensor", torch.fft.irfft(spectrogram, n=self.n_fft)) * self.window
        rows = self._overlap(frames)
        return rows * envelope.view(-1, self.hop_length)[first_frame : first_frame + rows.shape[-2]]

    def envelope(self) -> Float[Tensor, "time"]:
        """One over the sum of all squared windows, along all rows."""
        squares = (self.window * self.window).expand(self.num_frames, -1)
        return self._overlap(squares).clamp(min=_SMALLEST_ENVELOPE).reciprocal().flatten()

    def crop(self, rows: Float[Tensor, "*axes row hop"]) -> Float[Tensor, "*axes time"]:
        """The signal's own samples out of all rows."""
        return rows.flatten(-2)[..., self.n_fft // 2 : self.n_fft // 2 + self.num_samples]

    def _overlap(self, frames: Float[Tensor, "*axes frame n_fft"]) -> Float[Tensor, "*axes row hop"]:
        """Sum of frames, each one row later than the one before."""
        count = frames.shape[-2]
        rows = frames.new_zeros(*frames.shape[:-2], count + self.rows_per_frame - 1, self.hop_length)
        for row in range(self.rows_per_frame):
            part = frames[..., row * self.hop_length : (row + 1) * self.hop_length]
            rows[..., row : row + count, : part.shape[-1]] += part
        return rows
