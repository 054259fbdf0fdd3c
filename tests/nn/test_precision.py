"""bfloat16 where the machine computes with it; elsewhere float32, and a line that says so."""

import logging
from collections.abc import Iterator

import pytest
import torch

from stemtune.nn import precision
from stemtune.nn.precision import autocast, computes_bfloat16, granted_precision


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    for remembered in (computes_bfloat16, precision._say_once):
        remembered.cache_clear()
    yield
    for remembered in (computes_bfloat16, precision._say_once):
        remembered.cache_clear()


def product(wished: str) -> torch.dtype:
    with autocast("cpu", wished):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize(
    ("instructions", "has_it"),
    [({}, False), ({"avx512_f": True}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)],
)
def test_a_processor_has_bfloat16_by_its_instructions(
    instructions: dict[str, bool], has_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64"} | instructions)
    assert computes_bfloat16() is has_it
    assert product("bfloat16") == (torch.bfloat16 if has_it else torch.float32)
    assert granted_precision("cpu", "bfloat16") == ("bfloat16" if has_it else "float32")
    assert product("float32") == torch.float32


def test_what_is_not_granted_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64"})
    with caplog.at_level(logging.WARNING):
        for wished in ("float32", "bfloat16", "bfloat16"):
            autocast("cpu", wished)
    assert [record.getMessage() for record in caplog.records] == [
        "bfloat16 is slower than float32 on this machine (cpu has no instructions for it); computing in float32"
    ]


def test_a_graphics_card_that_is_not_there_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not computes_bfloat16("cuda")
    assert computes_bfloat16("mps")
