"""How what is large is imported."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from expander.imports import at_once


def test_garbage_is_collected_again_afterwards_and_only_where_it_was_before() -> None:
    assert gc.isenabled()
    with at_once():
        assert not gc.isenabled()
        with at_once():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), at_once():
        raise ImportError
    assert gc.isenabled()


def test_what_trials_are_forked_from_has_imported_all_and_no_collection_goes_through_it() -> None:
    code = (
        "import gc, sys\n"
        "import trainers.preloaded\n"
        "print(gc.isenabled(), 'torch._dynamo' in sys.modules, gc.get_freeze_count() > len(gc.get_objects()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "True True True\n"
