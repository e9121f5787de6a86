"""Shared by the tests of single parts."""

import pytest


@pytest.fixture(scope="module")
def batch():
    """See step_cases.three_frames."""
    pytest.importorskip("tensorflow")
    from step_cases import three_frames

    return three_frames()
