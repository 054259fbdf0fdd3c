"""Reading MIDI files: what every file may hold, what a broken one is answered, and that mido finds the same."""

import struct
from pathlib import Path

import mido
import pytest

from stemtune.data.rendering.midi import read_midi
from stemtune.data.rendering.scores import notes_of, read_events
from stemtune.errors import InputError
from tests.data.rendering.tiny import band_midi, write_midi


def midi_bytes(track: bytes, *, form: int = 0, division: int = 480, num_tracks: int = 1) -> bytes:
    head = struct.pack(">4sIHHH", b"MThd", 6, form, num_tracks, division)
    return head + struct.pack(">4sI", b"MTrk", len(track)) + track


def test_running_status_and_skipped_messages(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    track = (
        b"\x00\xff\x03\x04Lead"  # name
        b"\x00\xf0\x03\x01\x02\xf7"  # system exclusive
        b"\x00\xc1\x21"  # program 33 on channel 1
        b"\x00\x91\x3c\x64"  # note on
        b"\x81\x70\x3c\x00"  # 240 ticks later, running status, velocity 0: note off
        b"\x00\xe1\x00\x60"  # pitch bend
        b"\x00\xd1\x10"  # pressure
        b"\x00\xb1\x0b\x7f"  # expression
        b"\x00\xff\x2f\x00"
    )
    path.write_bytes(midi_bytes(track))
    events = read_events(path)
    assert [(e.kind, e.channel, e.number, e.value) for e in events] == [
        ("program_change", 1, 33, 0),
        ("note_on", 1, 60, 100),
        ("note_off", 1, 60, 0),
        ("pitchwheel", 1, 0, 4096),
        ("control_change", 1, 11, 127),
    ]
    (note,) = notes_of(events)
    assert (note.program, note.part, note.duration_seconds) == (33, "Lead", 0.25)


def test_tempo_changes_bend_time(tmp_path: Path) -> None:
    score = mido.MidiFile(ticks_per_beat=100)
    score.tracks.append(
        mido.MidiTrack(
            [
                mido.MetaMessage("set_tempo", tempo=1_000_000),
                mido.MetaMessage("set_tempo", tempo=250_000, time=200),
            ]
        )
    )
    score.tracks.append(mido.MidiTrack([mido.Message("note_on", note=60, velocity=9, time=t) for t in (100, 100, 100)]))
    score.save(tmp_path / "a.mid")
    midi = read_midi(tmp_path / "a.mid")
    assert midi.seconds_of([message.tick for message in midi.messages]).tolist() == [1.0, 2.0, 2.25]


def test_mido_reads_the_same(tmp_path: Path) -> None:
    path = band_midi(tmp_path / "a.mid")
    expected = [m for m in mido.MidiFile(path) if not m.is_meta]
    events = read_events(path)
    assert len(events) == len(expected)
    assert [e.channel for e in events] == [m.channel for m in expected]
    assert sum(m.time for m in mido.MidiFile(path)) == pytest.approx(events[-1].seconds)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "parse"),
        (b"MThd", "parse"),
        (b"<html>not a score at all</html>", "not MThd"),
        (midi_bytes(b"\x00\x90\x3c\x64\x00\xff\x2f\x00")[:-6], "within a track"),
        (midi_bytes(b"\x00\x90\x3c"), "parse"),
        (midi_bytes(b"\x00\x3c\x40"), "without a status"),
        (midi_bytes(b"", num_tracks=3), "3 tracks are announced"),
        (midi_bytes(b"", form=2), "format 2"),
        (midi_bytes(b"", division=0xE728), "division"),
        (midi_bytes(b"\xff\xff\xff\xff\xff"), "parse"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "broken.mid"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"broken\.mid: expected a MIDI file") as raised:
        read_midi(path)
    assert reason in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mid"):
        read_midi(tmp_path / "none.mid")


def test_program_changes_on_the_way_are_kept(tmp_path: Path) -> None:
    path = write_midi(tmp_path / "a.mid", {"A": (3, 40, [(0.0, 1.0, 60, 90)])})
    (note,) = notes_of(read_events(path))
    assert (note.program, note.channel) == (40, 3)
