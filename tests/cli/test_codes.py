"""``stemtune codes``, end to end."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemtune.hub import ModelCard, save_model
from stemtune.models.vqvae import CodecConfig, UnmixConfig
from stemtune.nn.vector_quantiser import VectorQuantiserConfig


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    codec = CodecConfig(stages=2, width=4, blocks=2, quantiser=VectorQuantiserConfig(num_codes=16, features=4))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UnmixConfig(codec=codec, stems=("drums", "bass"), sample_rate=8000).build().train()
        network(0.1 * torch.randn(1, 1, 4000))
    save_model(network.eval(), home / "models" / "unmix", ModelCard(name="unmix", licence="CC0-1.0", description="-"))
    soundfile.write("song.wav", 0.1 * np.random.default_rng(0).standard_normal((9001, 2)), 8000)


def test_there_and_back(stemtune) -> None:
    outcome = stemtune("codes", "encode", "song.wav", "-n", "unmix")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("song.codes: drums, bass; ")
    assert "16-bit samples would take 72,008" in outcome.out
    outcome = stemtune("codes", "decode", "song.codes", "-n", "unmix")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.split() == ["decoded/drums.wav", "decoded/bass.wav"]
    separated = stemtune("separate", "song.wav", "-n", "unmix", "--float32", "--no-mixture-consistency")
    assert separated.code == 0
    for stem in ("drums", "bass"):
        decoded = soundfile.read(f"decoded/{stem}.wav", dtype="float32")[0]
        expected = soundfile.read(f"separated/unmix/song/{stem}.wav", dtype="float32")[0]
        assert np.allclose(decoded, expected, atol=1e-5)


def test_what_does_not_work_is_one_line(stemtune) -> None:
    for arguments, code, message in (
        (("encode", "absent.wav", "-n", "unmix"), 1, "no such file"),
        (("encode", "song.wav", "-n", "default"), 2, "has no codes"),
        (("decode", "song.wav", "-n", "unmix"), 1, "holds no codes"),
        (("encode", "song.wav", "-n", "unmix", "-o", "song.wav"), 1, "exists; give --overwrite"),
    ):
        outcome = stemtune("codes", *arguments)
        assert outcome.code == code
        (line,) = outcome.err.splitlines()
        assert message in line
        assert not list(Path().rglob("*.codes"))
