"""BSSEval: an estimate taken apart into its target, spatial distortion, interference and artefacts."""

from stemtune.evaluation.metrics.bss_eval.result import BSSEval, median_over_frames
from stemtune.evaluation.metrics.bss_eval.v4 import bss_eval_v4, sdr_v4

__all__ = ["BSSEval", "bss_eval_v4", "median_over_frames", "sdr_v4"]
