"""What is wrong with the metadata of installed distributions, and with the lists that block some of them."""

from __future__ import annotations

from collections.abc import Iterator

from bnncore.diagnosis.finding import Finding
from bnncore.discovery.blocklist import unmatched
from bnncore.discovery.index import Index
from bnncore.discovery.installed import read_installed
from bnncore.discovery.kinds import DATASET
from bnncore.discovery.registry import Registry
from bnncore.errors import BnnError
from bnncore.plain_text import shown

__all__ = ["examine_lists", "examine_metadata"]


def examine_metadata(index: Index) -> Iterator[Finding]:
    """Look at the metadata of everything that is installed; what touches nothing of bnncore is but a note."""
    for text in index.faults:
        yield Finding("problem", "metadata", text)
    for fault in read_installed(thorough=True).faults:
        if fault.text not in index.faults:
            yield Finding("problem" if fault.concerns else "note", "metadata", fault.text)


def examine_lists(registry: Registry) -> Iterator[Finding]:
    """Look for words in ``BNNCORE_DISABLE`` and ``BNNCORE_ALLOW`` that match nothing; describes every dataset."""
    index = registry.index
    distributions = dict.fromkeys(claim.distribution for claim in index.claims)
    names = dict.fromkeys(claim.declared for claim in index.claims)
    for dataset in index.names(DATASET):
        try:
            # A dataset's own parameters have no entry points.
            names.update(dict.fromkeys(f"{dataset}.{each}" for each in registry.dataset(dataset).topologies))
        except BnnError:
            continue
    for variable, word, close in unmatched(tuple(distributions), tuple(names)):
        hint = (
            f"did you mean {' or '.join(close)}?" if close else "separate names with commas, without versions"
        )
        yield Finding("note", str(variable), f"{shown(word)} matches nothing that is installed; {hint}")
