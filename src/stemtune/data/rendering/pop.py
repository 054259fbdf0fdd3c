"""Pop songs: POP909's melodies sung, with bass, drums and accompaniment made for them, as bands or as electronic music.

    vocals = singer(melody),   bass = player(roots or left hand),   drums = kit(performance on the song's beat),
    other = instruments(piano, bridge, harmony),   song = mixdown(the four).

Half of a Slakh for music with voices: everything differs from song to song, and nothing but the tunes is given.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.band_playing import duck_under
from stemtune.data.rendering.bands import LOWEST_HZ
from stemtune.data.rendering.choir import ChoirSinger
from stemtune.data.rendering.desk import compressed_gain, draw_room, equalised
from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.drum_kits import draw_drum_sound, scan_kits
from stemtune.data.rendering.drum_map import Hit
from stemtune.data.rendering.drumming import summed_drums
from stemtune.data.rendering.effects import filtered, in_stereo, saturated
from stemtune.data.rendering.fluidsynth import play_channels
from stemtune.data.rendering.groove import Performance, list_performances
from stemtune.data.rendering.ingredients import Ingredient, synthesised
from stemtune.data.rendering.mapping import grouped, require
from stemtune.data.rendering.mixdown import mixed_down
from stemtune.data.rendering.oneshots import Recordings
from stemtune.data.rendering.performing import draw_manner, perform
from stemtune.data.rendering.plans import Candidate, RenderConfig, Rendering, SongPlan, Soundfont, Split, TimbreSet
from stemtune.data.rendering.pop_bass import bass_of_song
from stemtune.data.rendering.pop_drums import drawn_performance, drums_of_song, machine_of_song
from stemtune.data.rendering.pop_other import accompaniment
from stemtune.data.rendering.pop_scores import PopScore, read_pop_score
from stemtune.data.rendering.pop_vocals import sing_song
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.data.rendering.sources import midi_files
from stemtune.data.rendering.synth_bass import synth_bass
from stemtune.errors import InputError

__all__ = ["POP_PARTS", "PopProducer"]

POP_PARTS = ("vocals", "drums", "bass", "other")

Stereo = Float32[np.ndarray, "2 time"]

_TAIL_SECONDS = 1.5
_SHORTEST_BARS = 6
_ELECTRONIC_PROBABILITY = {"any": 0.45, "band": 0.0, "electronic": 1.0}
_BASS_PROGRAMS = (32, 33, 33, 33, 34, 34, 35, 36, 37)
_SYNTH_BASS_PROGRAMS = (38, 39)
_KICK_NOTES = (35, 36)


class PopProducer:
    """Pop songs with vocals, drums, bass and other."""

    def __init__(self, config: RenderConfig) -> None:
        if config.mapping:
            config.mapping.check_parts(POP_PARTS)
        self.config = config
        self._choirs: dict[Split, ChoirSinger] = {}

    @cached_property
    def _recordings(self) -> dict[str, Recordings]:
        return scan_kits(self.config.learn) | scan_kits(self.config.judge)

    @cached_property
    def _performances(self) -> tuple[Performance, ...]:
        source = self.config.drum_scores
        return list_performances(source.path) if source else ()

    def candidates(self) -> Sequence[Candidate]:
        """Every MIDI file."""
        return [
            Candidate(f"{source.ingredient.name}-{path.stem}", number, path.relative_to(root).as_posix())
            for number, source in enumerate(self.config.sources)
            for root in [source.path if source.path.is_dir() else source.path.parent]
            for path in midi_files(source.path)
        ]

    def plan(self, candidate: Candidate, split: Split) -> SongPlan:
        """How long the excerpt is."""
        score = self._excerpt(candidate.name, candidate.source, candidate.locator)
        seconds = float(score.beats[-1]) + _TAIL_SECONDS
        return SongPlan(
            name=candidate.name, split=split, source=candidate.source, locator=candidate.locator, seconds=seconds
        )

    def render(self, plan: SongPlan) -> Rendering:
        """A song, arranged, played, sung and mixed."""
        generator = generator_of(self.config.seed, plan.name)
        timbres = self.config.timbres(plan.split)
        score = self._excerpt(plan.name, plan.source, plan.locator)
        num_samples = round(plan.seconds * SAMPLE_RATE)
        electronic = bool(generator.random() < _ELECTRONIC_PROBABILITY[self.config.style])
        room = draw_room(generator, shortest_seconds=0.25, longest_seconds=2.5)
        font = timbres.soundfonts[int(generator.integers(len(timbres.soundfonts)))]
        ingredients: list[Ingredient] = [self.config.sources[plan.source].ingredient, font.ingredient]
        hits, drummer = self._hits(score, plan.split, generator, electronic=electronic)
        if drummer != "machine" and self.config.drum_scores:
            ingredients.append(self.config.drum_scores.ingredient)
        kit = draw_drum_sound(
            hits, timbres, self._recordings, num_samples=num_samples, generator=generator, electronic=electronic
        )
        drums = summed_drums(kit.parts, generator, room=room, num_samples=num_samples)
        kicks = [hit.seconds for hit in hits if hit.note in _KICK_NOTES]
        bass, bassist = _bass(score, kicks, font, timbres, num_samples, generator, electronic=electronic)
        other, programs = accompaniment(
            score, font=font, room=room, num_samples=num_samples, electronic=electronic, synthetic=timbres.synthetic,
            generator=generator,
        )  # fmt: skip
        choir = self._choirs.setdefault(plan.split, ChoirSinger(self.config, plan.split))
        kind = self.config.singers[int(generator.integers(len(self.config.singers)))]
        vocals = sing_song(
            score.melody,
            kind=kind,
            timbres=timbres,
            choir=choir,
            room=room,
            num_samples=num_samples,
            generator=generator,
        )
        stems: dict[str, Stereo] = {
            "vocals": vocals.samples,
            "drums": drums,
            "bass": bass,
            "other": other,
        }
        if electronic and generator.random() < 0.6:
            stems = duck_under(stems, kicks, generator)
        deep = {stem: filtered(stems[stem], "highpass", LOWEST_HZ) for stem in ("drums", "bass", "other")}
        stems = {"vocals": stems["vocals"], **deep}  # which have lost the lowest frequencies already
        if electronic:
            ingredients.append(synthesised("synthesisers"))
        details: dict[str, str | float | int] = {
            "style": "electronic" if electronic else "band", "tempo": round(score.beats_per_minute, 1),
            "drummer": drummer, "kit": kit.kit, "bass": bassist, "singer": vocals.singer,
            "room_seconds": round(room.decay_seconds, 2), "soundfont": font.path.name,
            "programs": " ".join(f"{name}:{number}" for name, number in programs.items()),
        }  # fmt: skip
        unique = {ingredient.name: ingredient for ingredient in (*ingredients, kit.ingredient, *vocals.ingredients)}
        stems = grouped(mixed_down(stems, generator), self.config.mapping)
        require(plan.name, stems, self.config.mapping)
        return Rendering(stems, tuple(unique.values()), details)

    def _hits(
        self, score: PopScore, split: Split, generator: np.random.Generator, *, electronic: bool
    ) -> tuple[list[Hit], str]:
        """The drum part, and who plays it."""
        mine = [performance for performance in self._performances if (performance.split or split) == split]
        drawn = drawn_performance(mine, score.beats_per_minute, generator)
        if drawn is None or (electronic and generator.random() < 0.75):
            return machine_of_song(score, generator), "machine"
        return drums_of_song(score, *drawn, generator), drawn[0].locator

    def _excerpt(self, name: str, source: int, locator: str) -> PopScore:
        """The bars that are rendered, at their tempo and in their key."""
        generator = generator_of(self.config.seed, f"{name}/score")
        root = self.config.sources[source].path
        path = (root if root.is_dir() else root.parent) / locator
        speed, semitones = float(generator.uniform(0.93, 1.08)), int(generator.integers(-3, 4))
        score = read_pop_score(path, speed=speed, semitones=semitones)
        fits = np.searchsorted(score.beats[::4] - score.beats[0], self.config.max_seconds - _TAIL_SECONDS) - 1
        count = int(min(score.num_bars, max(fits, 0)))
        if count < _SHORTEST_BARS:
            raise InputError(
                f"{locator}: expected at least {_SHORTEST_BARS} bars within the length of a song; got {count}"
            )
        onsets = np.sort(np.array([note.start_seconds for note in score.melody]))
        sung = np.diff(np.searchsorted(onsets, score.beats[: 4 * score.num_bars + 1 : 4]))
        totals = np.convolve(sung, np.ones(count, dtype=int), mode="valid")
        good = np.flatnonzero(totals >= 0.7 * totals.max())
        return score.bars(int(good[int(generator.integers(len(good)))]), count)


def _bass(
    score: PopScore,
    kicks: Sequence[float],
    font: Soundfont,
    timbres: TimbreSet,
    num_samples: int,
    generator: np.random.Generator,
    *,
    electronic: bool,
) -> tuple[Stereo, str]:
    """The bass, and what plays it: a sampled bass guitar or a synthesiser."""
    lowest = int(generator.integers(24, 30)) if electronic else 28
    notes = bass_of_song(score, kicks, generator, lowest_pitch=lowest)
    if timbres.synthetic and generator.random() < (0.75 if electronic else 0.05):
        samples = synth_bass(notes, num_samples, generator)
        player = "synthesiser"
    else:
        program = int(generator.choice(_SYNTH_BASS_PROGRAMS if electronic else _BASS_PROGRAMS))
        manner = draw_manner(generator, vibrato_semitones=0.05)
        events = perform(notes, channel=0, program=program, manner=manner, generator=generator)
        samples = play_channels(events, soundfont=font.path, num_channels=1, num_samples=num_samples)[0].mean(axis=0)
        player = f"program {program}"
    samples = equalised(samples, generator, amount_db=2.0)
    if samples.any():
        samples = samples * compressed_gain(samples, threshold_db=-24.0, ratio=float(generator.uniform(1.5, 4)))
    if generator.random() < 0.25 and samples.any():
        samples = saturated(samples, float(generator.uniform(-6, 6)))
    return in_stereo(samples), player
