"""A dotenv file says its metadata in keys, and a key can say more levels than anything can hold."""

from __future__ import annotations

import pytest

from gitopsd.core.errors import RenderError
from gitopsd.core.model import File
from gitopsd.core.sops.detection import layout_of


def test_metadata_nested_without_end_is_refused_by_its_line():
    content = f"A=ENC[AES256_GCM,data:\nsops_mac=b\nsops_a{'__map_b' * 5_000}=1\n"
    with pytest.raises(RenderError) as refused:
        layout_of(File("a.env", "a", content.encode()))
    assert (refused.value.problem.code, refused.value.problem.line) == ("DECRYPT_FORMAT", 3)
