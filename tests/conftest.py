"""Checks every annotated shape of the package while the tests run, and keeps torch to one thread."""

from jaxtyping import install_import_hook

install_import_hook("stemtune", "beartype.beartype")

import torch  # noqa: E402

torch.set_num_threads(1)
