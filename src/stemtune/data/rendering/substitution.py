"""Other instruments for the same notes: variety of timbre teaches more than fidelity to a score.

    program' = program, or another of its family, or (for the stem "other") one of any family.

Choirs are replaced by strings where no stem asks for voices, for a sampled choir is no accompaniment.
"""

import numpy as np

__all__ = ["draw_program"]

_FAMILIES = (
    (0, 1, 2, 3, 4, 5, 6, 7),  # pianos
    (8, 9, 11, 12, 13, 14, 15),  # mallets
    (16, 17, 18, 19, 20, 21, 22, 23),  # organs, accordion, harmonica
    (24, 25, 26, 27, 28, 29, 30),  # guitars
    (32, 33, 33, 34, 34, 35, 36, 37),  # basses
    (40, 41, 42, 44, 45, 46),  # strings
    (48, 49, 50, 51),  # ensembles
    (56, 57, 58, 59, 60, 61, 62, 63),  # brass
    (64, 65, 66, 67, 68, 69, 70, 71),  # reeds
    (72, 73, 74, 75, 77, 79),  # pipes
    (80, 81, 82, 83, 84, 86, 87),  # leads
    (88, 89, 90, 92, 93, 94, 95),  # pads
    (96, 99, 100, 103),  # synthesised effects with a pitch
    (104, 105, 106, 107, 108, 110, 111),  # plucked strings of the world
)
_SYNTH_BASSES = (38, 39, 38, 39, 87)
_ELECTRONIC = (80, 81, 81, 83, 84, 86, 88, 89, 90, 92, 93, 94, 95, 50, 51, 62, 63, 99, 103)
_CHOIR_LIKE = {52: 48, 53: 49, 54: 50, 85: 81, 91: 89}


def draw_program(program: int, generator: np.random.Generator, *, is_bass: bool, electronic: bool) -> int:
    """The program that a part is played with.

    Args:
        program: what the score asks for.
        generator: draws.
        is_bass: whether the part belongs to the stem "bass".
        electronic: whether the song is to be electronic music.
    """
    program = _CHOIR_LIKE.get(program, program)
    chance = float(generator.random())
    if is_bass:
        choices = _SYNTH_BASSES if electronic else _FAMILIES[4]
        return int(generator.choice(choices)) if chance < 0.8 or electronic else program
    if electronic and chance < 0.7:
        return int(generator.choice(_ELECTRONIC))
    if chance < 0.2:
        return int(generator.choice(_FAMILIES[int(generator.integers(len(_FAMILIES)))]))
    if chance < 0.55:
        family = next((family for family in _FAMILIES if program in family), (program,))
        return int(generator.choice(family))
    return program
