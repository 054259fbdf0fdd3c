"""museval's metrics, from the one file of the installed package that needs nothing of the rest of it.

The package as a whole refuses to be imported without ffmpeg on the machine.
"""

import importlib.util
import sys
import warnings
from typing import Any, Literal

import numpy as np

from tests.parity.references import FOLDER

FILE = FOLDER / "museval/metrics.py"
RATIOS = ("sdr", "isr", "sir", "sar")

Version = Literal["v4", "v3_images", "v3_sources"]


def bss_eval(estimate: np.ndarray, reference: np.ndarray, *, window: float, hop: float, version: Version) -> np.ndarray:
    """``ratio stem frame`` of arrays ``stem channel time``, as ``museval.evaluate`` calls it, without padding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _metrics().bss_eval(
            np.moveaxis(reference, 1, 2),
            np.moveaxis(estimate, 1, 2),
            window=window,
            hop=hop,
            compute_permutation=False,
            framewise_filters=version != "v4",
            bsseval_sources_version=version == "v3_sources",
        )
    return np.stack(found[:4])


def _metrics() -> Any:
    if "stemtune_references_museval" not in sys.modules:
        spec = importlib.util.spec_from_file_location("stemtune_references_museval", FILE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules["stemtune_references_museval"] = module
    return sys.modules["stemtune_references_museval"]
