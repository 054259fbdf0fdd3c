"""BSSEval: an estimate taken apart into its target, spatial distortion, interference and artefacts."""

from stemtune.evaluation.metrics.bss_eval.result import BSSEval, median_over_frames
from stemtune.evaluation.metrics.bss_eval.sdr import sdr_v4, sdr_v4_streamed
from stemtune.evaluation.metrics.bss_eval.stems import ReadStems, StemPair
from stemtune.evaluation.metrics.bss_eval.v3 import bss_eval_v3_images, bss_eval_v3_sources
from stemtune.evaluation.metrics.bss_eval.v4 import bss_eval_v4, bss_eval_v4_streamed

__all__ = [
    "BSSEval",
    "ReadStems",
    "StemPair",
    "bss_eval_v3_images",
    "bss_eval_v3_sources",
    "bss_eval_v4",
    "bss_eval_v4_streamed",
    "median_over_frames",
    "sdr_v4",
    "sdr_v4_streamed",
]
