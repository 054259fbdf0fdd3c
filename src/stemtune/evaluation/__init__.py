"""How good is it? Metrics, a protocol over whole tracks, reports and pictures."""

from stemtune.evaluation.metrics import METRICS, sdr_global, si_sdr
from stemtune.evaluation.protocol import evaluate_estimates, evaluate_model
from stemtune.evaluation.report import write_report
from stemtune.evaluation.table import Evaluation

__all__ = ["METRICS", "Evaluation", "evaluate_estimates", "evaluate_model", "sdr_global", "si_sdr", "write_report"]
