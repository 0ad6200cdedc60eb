"""A data root and a cache of each test's own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Nothing of the user's is read or written."""
    monkeypatch.setenv("CONVSTUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVSTUDY_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder
