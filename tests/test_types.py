"""The shared nouns refuse what cannot be right."""

import pytest
import torch

from stemtune.errors import UsageError
from stemtune.types import Batch, StemSet


def test_stem_sets_keep_their_order_and_name_what_exists() -> None:
    stems = StemSet({"vocals": 1, "tabla": 2})
    assert stems.names == ("vocals", "tabla")
    assert stems.map(float)["tabla"] == 2.0
    with pytest.raises(UsageError, match=r"unknown stem 'drums'; the stems here are vocals, tabla"):
        stems["drums"]
    assert "drums" not in stems


def test_an_empty_stem_set_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one stem"):
        StemSet({})


def test_batches_refuse_names_that_do_not_fit_the_axis() -> None:
    with pytest.raises(ValueError, match="2 stem names for 3 sources"):
        Batch(torch.zeros(1, 2, 10), torch.zeros(1, 3, 2, 10), ("a", "b"), 44100)


def test_a_batch_can_tell_of_some_stems_only_and_in_another_order() -> None:
    sources = torch.arange(6.0).reshape(1, 3, 1, 2)
    present = torch.tensor([[True, False, True]])
    whole = Batch(sources.sum(dim=1), sources, ("a", "b", "c"), 44100, present)
    some = whole.only(("c", "b"))
    assert some.stems == ("c", "b")
    assert torch.equal(some.sources, sources[:, [2, 1]])
    assert some.present is not None
    assert some.present.tolist() == [[True, False]]
    assert torch.equal(some.mixture, whole.mixture)
    assert whole.only(("a", "b", "c")) is whole
    assert whole.only(("a", "z")) is whole, "for objectives that read no stem in particular"
