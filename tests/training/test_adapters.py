"""Low-rank adapters in the loop: only they move, a resumed run ends with the same bits, and what comes out is plain."""

from pathlib import Path

import torch

from stemtune.hub import ModelCard, load, save_adapter, save_model
from stemtune.training.phase import Execution
from stemtune.training.run import train
from stemtune.transfer.initialise import Initialise
from stemtune.transfer.trainable import Adapters, Trainable
from tests.training.miniature import tiny_experiment, tiny_model, tiny_validation

EXECUTION = Execution(device="cpu", num_workers=0, threads=1, checkpoint_every_steps=2)
CARD = ModelCard(name="tiny", licence="MIT", description="Tiny.")


def test_adapters_learn_merge_and_resume(songs: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    base = tiny_model().build()
    save_model(base, tmp_path / "base", CARD)
    experiment = tiny_experiment(
        songs,
        steps=6,
        ema_decay=0.9,
        initialise=Initialise(source="model", model=str(tmp_path / "base")),
        trainable=Trainable(patterns=("head.*",), adapters=Adapters(rank=2, patterns=("blocks.*",))),
        validation=tiny_validation(songs),
    )
    whole = train(experiment, tmp_path / "whole", execution=EXECUTION, quiet=True)
    stopped = EXECUTION.model_copy(update={"max_minutes": 1e-6})
    while not (result := train(experiment, tmp_path / "parts", execution=stopped, quiet=True)).finished:
        pass
    state, before = whole.separator.state_dict(), base.state_dict()
    assert state.keys() == before.keys()
    assert all(torch.equal(value, result.separator.state_dict()[name]) for name, value in state.items())
    moved = {name for name, value in state.items() if not torch.equal(value, before[name])}
    weights = {name for name, value in before.items() if name.startswith("blocks.") and value.ndim > 1}
    assert moved == weights | {name for name in before if name.startswith("head.")}

    save_adapter(whole.separator, tmp_path / "adapter", CARD, base=tmp_path / "base", rank=2)
    sizes = [(tmp_path / folder).stat().st_size for folder in ("base/model.safetensors", "adapter/adapter.safetensors")]
    assert sizes[1] < sizes[0]
    loaded = load(tmp_path / "adapter").state_dict()
    for name, value in state.items():
        torch.testing.assert_close(loaded[name], value, rtol=1e-5, atol=1e-7)
