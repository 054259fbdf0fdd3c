"""The listener's recipe: its labels, its training, its examination and its card, in small."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.errors import ConfigError
from stemtune.hub.listeners import DEFAULT_LISTENER, find_listener_card, load_listener
from stemtune.hub.registry import SHIPPED_MODELS
from stemtune.recipes.default_model.pieces import Piece
from stemtune.recipes.listener import corpus as module
from stemtune.recipes.listener.corpus import HEARD, HEARD_RATE, INSTRUMENTS, LABELS, make_instrument, plan_pieces
from stemtune.recipes.listener.release import Task, examine, training_data
from stemtune.recipes.listener.training import ListenerTraining, train_listener, whitened
from tests.hub.listeners import tiny_listener_config


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Low, middle and high tones under three labels."""
    root = tmp_path_factory.mktemp("listener")
    time = np.arange(3 * HEARD_RATE) / HEARD_RATE
    for label, hertz in {"bass": 200, "piano": 900, "flute": 3000}.items():
        path = root / HEARD / label / "tone.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, 0.2 * np.sin(2 * np.pi * hertz * time), HEARD_RATE)
    return root


def training(corpus: Path, **changes: object) -> ListenerTraining:
    settings: dict[str, object] = {
        "corpus": str(corpus),
        "labels": ("bass", "piano", "flute"),
        "steps": 4,
        "batch_size": 4,
        "listener": tiny_listener_config(whiten=True, quantise="steps"),
    }
    return ListenerTraining.model_validate(settings | changes)


def test_training_resumes_bit_for_bit_and_refuses_strangers(corpus: Path, tmp_path: Path) -> None:
    once = train_listener(training(corpus), tmp_path / "once", stopped=lambda: False)
    assert train_listener(training(corpus), tmp_path / "parts", stopped=lambda: True) is None
    parts = train_listener(training(corpus), tmp_path / "parts", stopped=lambda: False)
    assert once is not None
    assert parts is not None
    for name, value in once.state_dict().items():
        assert torch.equal(parts.state_dict()[name], value), name
    with pytest.raises(ConfigError, match="another training"):
        train_listener(training(corpus, steps=5), tmp_path / "once", stopped=lambda: False)


def test_it_learns_and_its_features_are_whitened(corpus: Path, tmp_path: Path) -> None:
    network = tiny_listener_config(
        whiten=True, quantise="none", channels=(4, 4, 4, 4, 4, 4), hidden_size=16, features=8
    )
    plan = training(
        corpus, steps=100, learning_rate=5e-3, listener=network, dropout_probability=0.0, schedule={"kind": "constant"}
    )
    first = train_listener(plan.override({"steps": 1}), tmp_path / "a", stopped=lambda: False)
    last = train_listener(plan, tmp_path / "b", stopped=lambda: False)
    assert first is not None
    assert last is not None
    sounds = [soundfile.read(corpus / HEARD / label / "tone.wav", dtype="float32")[0][:15600] for label in plan.labels]
    waveforms, truth = torch.stack([torch.from_numpy(sound)[None] for sound in sounds]), torch.eye(3)
    before, after = (
        torch.nn.functional.binary_cross_entropy_with_logits(made.eval()(waveforms)[..., 0], truth).item()
        for made in (first, last)
    )
    assert after < 0.8 * before
    listener = whitened(plan, last, num_batches=4)
    assert listener.config == network
    heard = torch.cat(
        [
            listener(plan.data.build().example(seed=0, step=100 + step, position=place).sum(dim=0, keepdim=True))
            for step in range(4)
            for place in range(4)
        ]
    )[..., 0]
    torch.testing.assert_close(heard.mean(dim=0), torch.zeros(8), atol=1e-3, rtol=0)
    covariance = torch.cov(heard.T)
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-2
    assert covariance.max() <= 1.01


def test_the_examination_counts_what_is_right(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = train_listener(training(corpus), tmp_path, stopped=lambda: False)
    assert network is not None
    task = Task("which tone", HEARD, {"bass": ("bass",), "flute": ("flute",)}, item_patches=1)
    answers = iter([3.0, -3.0] * 50)

    def always_low(waveform: torch.Tensor) -> torch.Tensor:
        logits = torch.full((1, len(LABELS), 1), -9.0)
        logits[:, LABELS.index("bass")] = next(answers)
        return logits

    monkeypatch.setattr(network, "forward", always_low)
    (found,) = examine(network, corpus, [task])
    assert (found.value, found.chance, found.num_items) == (0.5, 0.5, 6)


def test_labels_cover_every_piece(tmp_path: Path) -> None:
    pieces = plan_pieces((), {"groove": (), "pop909": ()}, seed=0, share=0.1)
    assert {label for piece in pieces for label in INSTRUMENTS if piece.name.startswith(f"made-{label}-")} == set(
        INSTRUMENTS
    )
    assert all(isinstance(piece, Piece) and piece.kind == "pool" for piece in pieces)


def test_an_instrument_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []

    def fake(events: list[module.Event], *, num_samples: int, room: float) -> np.ndarray:
        heard.extend(event.number for event in events if event.kind == "program_change")
        assert all(12 <= event.number <= 110 for event in events if event.kind == "note_on")
        assert [event.seconds for event in events] == sorted(event.seconds for event in events)
        return np.sin(np.arange(num_samples))[:, None].repeat(2, axis=1).astype(np.float32)

    monkeypatch.setattr(module, "render", fake)
    for number in range(6):
        made = make_instrument("brass", name=f"x{number}", seed=0)
        assert list(made) == ["brass"]
    assert set(heard) <= {57, 58, 60, 61}


def test_the_card_names_what_was_heard(tmp_path: Path) -> None:
    (tmp_path / "sources.json").write_text(
        '[{"path": "a", "piece": "a", "stem": "drums", "origin": "midi/groove/drummer1/a.mid, FluidR3 GM", '
        '"licence": "CC-BY-4.0 AND MIT", "seconds": 60.0, "rms_db": -20.0}]'
    )
    (data,) = training_data(tmp_path)
    assert (data.corpus, data.minutes, data.stems) == ("midi/groove, rendered on FluidR3 GM", 1.0, ("drums",))


@pytest.mark.skipif(not (SHIPPED_MODELS / DEFAULT_LISTENER).exists(), reason="no listener is shipped yet")
def test_the_listener_that_ships_is_small_and_says_what_it_is() -> None:
    card, listener = find_listener_card(DEFAULT_LISTENER), load_listener(DEFAULT_LISTENER)
    assert card.weights_bytes < 5e6
    assert sum(path.stat().st_size for path in SHIPPED_MODELS.rglob("*") if path.is_file()) < 25e6
    assert card.labels == LABELS
    assert card.training_data
    solos, stems, singing = card.recognition
    assert solos.value > 3 * solos.chance
    assert stems.value > 2 * stems.chance
    if singing.value < singing.chance + 0.1:
        assert any("does not tell singing" in limit for limit in card.limits), "what fails is said"
    features = listener(0.1 * torch.randn(1, 1, 32000, generator=torch.Generator().manual_seed(0)))
    assert features.shape == (1, 128, 2)
    assert features.abs().max() <= 2.0
