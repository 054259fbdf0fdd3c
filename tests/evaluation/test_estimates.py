"""Files of any tool: found by name, refused if they do not fit, made to fit only on request."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from stemtune.data.datasets import open_dataset
from stemtune.errors import InputError
from stemtune.evaluation.estimates import EstimateFolder
from stemtune.evaluation.protocol import evaluate_estimates
from tests.evaluation.small_songs import RATE, SAMPLES, noise, write

MISFITS = [
    (noise(0, samples=SAMPLES + 5000), RATE, "7000 samples, the reference has 2000", "cut from 7000 to 2000 samples"),
    (noise(0, samples=2 * SAMPLES), 2 * RATE, "16000 Hz, the reference has 8000", "resampled from 16000 to 8000 Hz"),
    (noise(0, channels=1), RATE, "1 channels, the reference has 2", "1 channels were made 2"),
]


@pytest.mark.parametrize(("samples", "rate", "refusal", "note"), MISFITS)
def test_what_does_not_fit_is_refused_or_made_to_fit(songs: Path, tmp_path: Path, samples, rate, refusal, note):
    write(tmp_path / "estimates" / "First" / "vocals.wav", samples, rate=rate)
    with pytest.raises(InputError, match=rf"First: the estimate of vocals has {refusal}.*--fit"):
        evaluate_estimates(tmp_path / "estimates", open_dataset(songs)[:1])
    found = evaluate_estimates(tmp_path / "estimates", open_dataset(songs)[:1], metrics=["sdr_global"], fit=True)
    assert f"First: the estimate of vocals: {note}" in found.notes
    assert len(found.rows) == 1


@pytest.mark.parametrize(
    ("samples", "note"),
    [
        (noise(0)[:-100], "padded from 1900 to 2000 samples"),
        (np.concatenate([noise(0), noise(1)]), "cut from 4000 to 2000 samples"),
    ],
)
def test_a_few_samples_are_cut_or_padded_as_museval_does(songs: Path, tmp_path: Path, samples, note: str):
    write(tmp_path / "estimates" / "First" / "vocals.wav", samples)
    found = evaluate_estimates(tmp_path / "estimates", open_dataset(songs)[:1], metrics=["sdr_global"])
    assert f"First: the estimate of vocals: {note}" in found.notes
    error = noise(0).copy()
    error[: len(samples)] -= samples[:SAMPLES]
    expected = 10 * np.log10(((noise(0) ** 2).sum() + 1e-7) / ((error**2).sum() + 1e-7))
    assert found.rows[0].value == pytest.approx(expected, abs=1e-3)


def test_a_stereo_estimate_of_a_mono_song_is_refused_too(tmp_path: Path):
    write(tmp_path / "songs" / "Mono" / "vocals.wav", noise(0, channels=1))
    write(tmp_path / "songs" / "Mono" / "drums.wav", noise(1, channels=1))
    write(tmp_path / "estimates" / "Mono" / "vocals.wav", noise(0))
    with pytest.raises(InputError, match="2 channels, the reference has 1"):
        evaluate_estimates(tmp_path / "estimates", open_dataset(tmp_path / "songs"))


def test_samples_that_are_not_numbers_are_refused_with_the_file_s_name(songs: Path, tmp_path: Path):
    broken = noise(0)
    broken[1234, 1] = np.nan
    write(tmp_path / "estimates" / "First" / "vocals.wav", broken)
    with pytest.raises(InputError, match=r"vocals\.wav: sample 1234 of channel 1 is nan"):
        evaluate_estimates(tmp_path / "estimates", open_dataset(songs)[:1])


def test_every_track_without_estimates_is_named_before_anything_is_computed(songs: Path, tmp_path: Path):
    write(tmp_path / "estimates" / "First" / "vocals.wav", noise(0))
    with pytest.raises(InputError, match=r"no estimates of 1 of 2 tracks \('Second'\): expected .*Second/STEM\.wav"):
        evaluate_estimates(tmp_path / "estimates", open_dataset(songs))
    with pytest.raises(InputError, match="no such folder"):
        evaluate_estimates(tmp_path / "nowhere", open_dataset(songs))


def test_the_folder_above_the_right_one_says_where_to_go(songs: Path, tmp_path: Path):
    for model in ("htdemucs", "mdx"):
        for song in ("First", "Second"):
            write(tmp_path / "separated" / model / song / "vocals.wav", noise(0))
    with pytest.raises(InputError, match=r"in its sub-folders htdemucs, mdx; give one of these, such as .*htdemucs"):
        evaluate_estimates(tmp_path / "separated", open_dataset(songs))
    assert evaluate_estimates(tmp_path / "separated" / "mdx", open_dataset(songs)).tracks == ("First", "Second")


def test_two_files_for_one_stem_are_an_error(songs: Path, tmp_path: Path):
    write(tmp_path / "estimates" / "First" / "vocals.wav", noise(0))
    write(tmp_path / "estimates" / "First" / "Vocals.flac", noise(0).clip(-1, 1), subtype="PCM_16")
    with pytest.raises(InputError, match="two files for 'vocals'"):
        evaluate_estimates(tmp_path / "estimates", open_dataset(songs)[:1])


@pytest.mark.parametrize("folder", ["café au lait", "test/café au lait", "CAFÉ AU LAIT"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_found_in_any_case_encoding_and_split(tmp_path: Path, folder: str, form: str):
    for stem in ("vocals", "drums"):
        write(tmp_path / "songs" / "test" / unicodedata.normalize("NFC", "café au lait") / f"{stem}.wav", noise(0))
        write(tmp_path / "estimates" / unicodedata.normalize(form, folder) / f"{stem.upper()}.wav", noise(0))
    (track,) = open_dataset(tmp_path / "songs")
    assert track.name.startswith("test/")
    assert set(EstimateFolder(tmp_path / "estimates").stems(track)) == {"vocals", "drums"}


def test_an_exact_name_wins(songs: Path, tmp_path: Path):
    write(tmp_path / "estimates" / "FIRST" / "vocals.wav", noise(5))
    write(tmp_path / "estimates" / "First" / "vocals.wav", noise(0))
    found = evaluate_estimates(tmp_path / "estimates", open_dataset(songs)[:1], metrics=["sdr_global"])
    assert found.rows[0].value > 80


def test_stems_that_the_data_set_does_not_know_are_named(songs: Path, tmp_path: Path):
    for name in ("vocals", "no_vocals"):
        write(tmp_path / "estimates" / "First" / f"{name}.wav", noise(0))
    found = evaluate_estimates(tmp_path / "estimates", open_dataset(songs)[:1])
    assert f"no track has no_vocals, which {tmp_path / 'estimates'} also estimates" in found.notes
