"""Freed memory stays with the process, where the C library can be told so."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import torch
from stemtune.data.memory import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(5_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
before, is_kept, _, after = faults(), keep_freed_memory(), faults(), faults()
print(before, is_kept, after)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
def test_pages_are_not_asked_for_again() -> None:
    """In a process of its own, since it cannot be taken back."""
    output = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout.split()
    assert output[1] == "True"
    assert int(output[2]) < int(output[0]) / 10
