"""The errors that a user can cause, each with a message that says what was expected, what came, what to do.

Everything that stemtune raises on purpose derives from `StemtuneError`; the command line prints such an error
as one line and exits with its `exit_code`. Any other exception is a defect of stemtune.
"""

__all__ = ["ConfigError", "InputError", "OutputError", "StemtuneError", "UsageError", "WeightsError"]


class StemtuneError(Exception):
    """Base of all deliberate errors; `exit_code` is what the command line returns."""

    exit_code: int = 1


class UsageError(StemtuneError):
    """The request itself cannot be understood or fulfilled: a wrong option, an unknown model or stem."""

    exit_code: int = 2


class ConfigError(UsageError):
    """A configuration does not validate, or two parts of an experiment cannot work together."""


class InputError(StemtuneError):
    """An input file or array cannot be used: missing, empty, truncated, corrupt, not audio, not finite."""


class OutputError(StemtuneError):
    """A result cannot be written: no permission, no space, a folder in the way."""


class WeightsError(StemtuneError):
    """A weights file cannot be trusted or does not fit: wrong hash, pickled code, missing or misshapen tensors."""
