"""Key files are read strictly; what is wrong is told without a word of what they hold."""

from __future__ import annotations

import pytest

from gitopsd.adapters.secrets import read_keys
from gitopsd.adapters.secrets.key_files import FILE_BYTES_MAX
from gitopsd.core.errors import RenderError
from tests.adapters.secrets.conftest import VECTORS

OURS = (VECTORS / "ours.key").read_text()
KEY = OURS.split()[-1]

WRONG = {
    "nothing": (b"", "holds no key"),
    "only remarks": (b"# public key: age1\n", "holds no key"),
    "a public key": (b"# mine\nage1vqqqq\n", "line 2 that is no age key"),
    "a damaged key": (f"{KEY[:-1]}Q\n".encode(), "a damaged key on line 1"),
    "a key and more": (f"{KEY}\nhello\n".encode(), "line 2 that is no age key"),
    "bytes": (b"\xff\xfe", "is not text"),
    "too much": (b"#" * (FILE_BYTES_MAX + 1), "more than"),
    "no SSH key": (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "SSH key"),
}


@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG)
def test_a_file_that_holds_no_keys_is_refused_by_its_name(tmp_path, content, said):
    file = tmp_path / "age.txt"
    file.write_bytes(content)

    with pytest.raises(RenderError) as refused:
        read_keys([file])
    problem = refused.value.problem
    assert problem.code == "DECRYPT_KEY_FILE"
    assert said in problem.message
    assert "age.txt" in problem.message
    assert KEY[20:40] not in str(refused.value)


def test_no_files_are_no_keys():
    assert read_keys([]) is None


def test_blank_lines_and_remarks_are_skipped(tmp_path):
    file = tmp_path / "age.txt"
    file.write_text(f"\n# one\n\n  {KEY}  \n# two\n")

    keys = read_keys([file])
    assert keys
    assert len(keys.identities) == 1
