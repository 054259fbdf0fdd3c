"""What child processes of the tests need to know of signals."""

import signal


def hear_interrupts() -> None:
    """A shell's background jobs, and so their children, ignore SIGINT unless they are told not to."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
