"""Classes, shapes, foldings and parameters fit each other."""

from __future__ import annotations

from bnnhw.reference import scores
from bnnhw.topology import first_difference, matrix_stages

from bnncore.conformance.reporting import CheckError, seen
from bnncore.conformance.subject import Subject, label
from bnncore.diagnosis.finding import Finding
from bnncore.discovery.names import canonical
from bnncore.errors import BnnError
from bnncore.formats.classes import parse_classes
from bnncore.formats.npz import npz_bytes, parse_npz
from bnncore.publishing.pack import golden_inputs
from bnncore.publishing.random_network import random_network
from bnncore.records import Resource
from bnncore.resources import read_resource, resource_path

__all__ = ["check_bitstreams", "check_classes", "check_parameters", "check_topologies"]


def check_classes(subject: Subject) -> Finding:
    """Check that each dataset has distinct, printable class names, no more than each network has outputs."""
    found = []
    for network in subject.networks:
        resource = network.dataset.classes
        classes = parse_classes(read_resource(resource), str(resource_path(resource)), network.topology.outputs)
        found.append(f"{label(network)}: {len(classes)} classes for {network.topology.outputs} outputs")
    if not found:
        return seen("offers no dataset or parameters", "skipped")
    return seen("; ".join(found))


def check_topologies(subject: Subject) -> Finding:
    """Check that each topology can be run and stored, with random parameters."""
    found = []
    for topology in subject.topologies:
        network = random_network(topology)
        inputs = golden_inputs(topology.input, count=2)
        shape = scores(network, inputs).shape
        if shape != (2, topology.outputs):
            raise CheckError(f"topology {topology.name!r}: the reference returned scores {list(shape)}")
        parse_npz(npz_bytes(network), "random parameters", topology)
        found.append(f"{topology.name}: {topology.weights:,} weights, digest {topology.digest[:12]}")
    if not found:
        return seen("offers no topology", "skipped")
    return seen("; ".join(found))


def check_bitstreams(subject: Subject) -> Finding:
    """Check that each bitstream's folding fits its topology, and its digest both of them."""
    found = []
    raw = False
    for claim, bitstream in subject.bitstreams:
        topology = subject.registry.topology(bitstream.topology)
        board = claim.parts["board"]
        if canonical(board) not in {canonical(each) for each in bitstream.boards}:
            raise CheckError(
                f"bitstream {claim.declared!r} is for the boards {', '.join(bitstream.boards)}, not for {board!r}"
            )
        bitstream.folding.check(topology)
        digest = bitstream.folding.digest(topology)
        if bitstream.digest != digest:
            raise CheckError(
                f"bitstream {claim.declared!r} declares digest {bitstream.digest[:12]}…, its folding of "
                f"{topology.name!r} as installed has {digest}; it was built for other shapes or another folding"
            )
        bit = bitstream.bit
        if isinstance(bit, Resource) and bit.url is None and not read_resource(bit).startswith(_BIT_HEADER):
            raw = True
        found.append(f"{claim.declared}: {len(matrix_stages(topology))} layers folded, digest {digest[:12]}")
    if not found:
        return seen("offers no bitstream", "skipped")
    if raw:
        return seen("; ".join([*found, "the .bit file has no Xilinx header; is it a placeholder?"]), "note")
    return seen("; ".join(found))


# Every .bit file of Xilinx' tools starts with this field: its length, then its content.
_BIT_HEADER = bytes.fromhex("00090ff00ff00ff00ff000")


def check_parameters(subject: Subject) -> Finding:
    """Check that parameters are whole, for the installed topology, and for the classes of the dataset."""
    found = []
    for network in subject.networks:
        parameters, topology = network.parameters, network.topology
        where = str(resource_path(parameters.resource))
        file = parse_npz(read_resource(parameters.resource), where)
        made_for = file.network.topology
        if parameters.topology_digest != topology.digest or made_for.digest != topology.digest:
            difference = first_difference(topology, made_for)
            raise CheckError(
                f"{label(network)}: declared for digest {parameters.topology_digest[:12]}…, the topology has "
                f"{topology.digest}: {difference or 'the file fits; correct topology_digest in its hook'}"
            )
        fault = network.contradiction(file.provenance.preprocessing)
        if fault is not None:
            raise CheckError(f"{label(network)}: {fault}")
        try:
            classifier = subject.open(network)
            classifier.job.network()
        except BnnError as error:
            raise CheckError(f"{label(network)}: {error}") from error
        found.append(f"{label(network)}: {topology.weights:,} weights in {parameters.resource.size:,} bytes")
    if not found:
        return seen("offers no parameters", "skipped")
    return seen("; ".join(found))
