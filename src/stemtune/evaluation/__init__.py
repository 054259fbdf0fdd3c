"""How good is it? Metrics, a protocol over whole tracks, statistics, reports and pictures."""

from stemtune.evaluation.metrics import METRICS, sdr_global, si_sdr
from stemtune.evaluation.protocol import evaluate, evaluate_estimates, evaluate_model
from stemtune.evaluation.records import EvaluationRequest
from stemtune.evaluation.report import write_report
from stemtune.evaluation.subjects import open_system
from stemtune.evaluation.table import Evaluation

__all__ = [
    "METRICS",
    "Evaluation",
    "EvaluationRequest",
    "evaluate",
    "evaluate_estimates",
    "evaluate_model",
    "open_system",
    "sdr_global",
    "si_sdr",
    "write_report",
]
