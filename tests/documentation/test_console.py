"""What the documentation says that commands print is what they print."""

from __future__ import annotations

import pytest
from documentation.session import DOCS, blocks, pages, played, sound

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(DOCS).as_posix())
def test_the_output_on_the_page_is_what_commands_print(path):
    text = path.read_text("utf-8")
    assert sound(played(path)) == sound(text), "make docs-output writes it anew"


def test_most_console_blocks_are_run():
    found = [each for path in pages() for each in blocks(path)]
    assert len(pages()) > 5
    assert len([each for each in found if not each["excuse"]]) > len(found) / 2


def test_hashes_and_sizes_of_compressed_files_may_differ():
    assert sound("weights.npz  209,646  491dc5f9022eb2e4") == sound("weights.npz  209,700  0123456789abcdef")
    assert sound("in 209,646 bytes") == sound("in 209,700 bytes")
    assert sound("1,570,496 weights") != sound("1,570,497 weights")
