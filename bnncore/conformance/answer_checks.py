"""Running: the same integers on every backend, from every thread, whoever ran before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from bnnhw.executor import single_way
from bnnhw.network import Network
from bnnhw.reference import scores
from bnnhw.topology import Conv, Dense, Input, Pool, Topology

from bnncore.backends import Job, choose, open_executor
from bnncore.conformance.reporting import CheckError, seen
from bnncore.conformance.subject import Subject, label
from bnncore.diagnosis.finding import Finding
from bnncore.discovery.imports import import_function
from bnncore.discovery.kinds import BACKEND
from bnncore.discovery.resolve import Resolution
from bnncore.errors import BnnError, InputError
from bnncore.foreign import failure, foreign_code
from bnncore.formats.golden import parse_golden
from bnncore.publishing.pack import golden_inputs
from bnncore.publishing.random_network import random_network
from bnncore.records import Backend
from bnncore.resources import read_resource, resource_path

__all__ = ["check_backends", "check_golden_vectors", "check_isolation", "check_threads"]

_THREADS = 8
# Enough to differ; the reference takes its time for the larger networks.
_VECTORS = 4

# What a backend is tried on: every kind of layer, precision and output, small enough for any machine.
_COLOUR = (Conv(outputs=8), Conv(outputs=8, padding=1), Pool(), Dense(outputs=24), Dense(outputs=10))
_TRIALS = (
    Topology(name="trialW1A1", input=Input(height=12, width=10, channels=3), layers=_COLOUR),
    Topology(name="trialW1A2", input=Input(height=12, width=10, channels=3), layers=_COLOUR, activation_bits=2),
    Topology(
        name="trialW2A2",
        input=Input(height=12, width=10, channels=3),
        layers=_COLOUR,
        weight_bits=2,
        activation_bits=2,
    ),
    Topology(
        name="trialBits",
        input=Input(height=9, width=7, bits=1),
        layers=(Dense(outputs=70), Dense(outputs=10)),
        output="bits",
    ),
)


def check_golden_vectors(subject: Subject) -> Finding:
    """Check that every backend that can run here gives exactly the golden scores."""
    found = []
    for network in subject.networks:
        inputs, expected = _golden(network)
        if not len(np.unique(expected, axis=0)) > 1:
            raise CheckError(
                f"{label(network)}: all golden scores are the same; the weights do not react to any input"
            )
        ran = []
        for name in _backends(subject, network):
            with subject.open(network, name) as classifier:
                classifier.selftest()
            ran.append(name)
        found.append(f"{label(network)}: {len(inputs)} vectors on {', '.join(ran)}")
    return _seen(found)


def check_isolation(subject: Subject) -> Finding:
    """Check that a classifier keeps its answers while another network runs in between on the same backend."""
    found = []
    for network in subject.networks:
        inputs, expected = (each[-_VECTORS:] for each in _golden(network))
        for name in _backends(subject, network):
            with subject.open(network, name) as ours, subject.open(network, name) as twin:
                other = random_network(network.topology, seed=7)
                rival = open_executor(subject.registry, name, _job(other, ours.job))
                try:
                    answers = [
                        ours.scores(inputs),
                        rival.scores(inputs),
                        twin.scores(inputs),
                        ours.scores(inputs),
                    ]
                finally:
                    rival.close()
            width = answers[0].shape[1]
            wrong = [
                each for each in (answers[0], *answers[2:]) if not np.array_equal(each, expected[:, :width])
            ]
            if wrong or not np.array_equal(answers[1], scores(other, inputs)):
                raise CheckError(
                    f"{label(network)}, backend {name!r}: answers change when another network runs"
                )
        found.append(label(network))
    return _seen(found)


def check_threads(subject: Subject) -> Finding:
    """Check that one classifier, used from several threads at once, answers as from one."""
    found = []
    for network in subject.networks:
        inputs, expected = (each[-_THREADS:] for each in _golden(network))
        for name in _backends(subject, network):
            with subject.open(network, name) as classifier, ThreadPoolExecutor(_THREADS) as pool:
                parts = list(pool.map(classifier.scores, _singles(inputs)))
            answers = np.concatenate(parts)
            if not np.array_equal(answers, expected[:, : answers.shape[1]]):
                raise CheckError(
                    f"{label(network)}, backend {name!r}: other answers from {_THREADS} threads at once"
                )
        found.append(f"{label(network)} from {_THREADS} threads")
    return _seen(found)


def check_backends(subject: Subject) -> Finding:
    """Check that the distribution's own backends keep the contract of an executor, or say why they cannot run."""
    found = []
    state: Any = "ok"
    for claim in subject.of(BACKEND):
        backend = subject.registry.backend(claim.name)
        ran = []
        obstacle = None
        for topology in _TRIALS:
            network = random_network(topology)
            job = _job(network)
            with foreign_code(subject.owner, _fault(backend.obstacle)):
                obstacle = import_function(backend.obstacle, subject.owner)(job)
            if obstacle is None:
                with foreign_code(subject.owner, _fault(f"backend {backend.name!r} on {topology.name}")):
                    _check_executor(backend, network, job)
                ran.append(topology.name)
            elif not isinstance(obstacle, str) or not obstacle:
                raise CheckError(
                    f"{backend.obstacle} returned {obstacle!r}, expected words for people, or None"
                )
        if ran:
            found.append(f"{backend.name}: exact on {', '.join(ran)}")
        else:
            state = "note"
            found.append(f"{backend.name}: runs nothing here ({obstacle}), so nothing was compared")
    if not found:
        return seen("offers no backend", "skipped")
    return seen("; ".join(found), state)


def _check_executor(backend: Backend, network: Network, job: Job) -> None:
    executor = import_function(backend.executor)(job)
    where = f"backend {backend.name!r} on {network.topology.name}"
    try:
        inputs = golden_inputs(network.topology.input, count=9)
        expected = scores(network, inputs)
        for count in (0, 1, len(inputs)):
            batch = inputs[:count].copy()
            found = executor.scores(batch)
            if not np.array_equal(batch, inputs[:count]):
                raise CheckError(f"{where} changes the batch that it is given")
            if getattr(found, "dtype", None) != np.int32 or not np.array_equal(found, expected[:count]):
                raise CheckError(
                    f"{where} does not return the integers of the reference, as int32, for {count} images"
                )
        with ThreadPoolExecutor(_THREADS) as pool:
            # In pieces, as what a caller cuts out of a larger array.
            alone = list(pool.map(single_way(executor), np.repeat(inputs, 2, axis=-1)[..., ::2]))
            parts = list(pool.map(executor.scores, _singles(inputs)))
        if alone != [row.tobytes() for row in expected]:
            raise CheckError(f"{where}: single() does not return the bytes of what scores() does")
        if not np.array_equal(np.concatenate(parts), expected):
            raise CheckError(f"{where} answers otherwise from {_THREADS} threads at once")
        try:
            executor.scores(inputs.astype(np.float32))
        except InputError:
            pass
        else:
            raise CheckError(f"{where} takes a batch of another dtype; call bnnhw.executor.checked_batch")
        if executor.name != backend.name:
            raise CheckError(f"{where}: its executor calls itself {executor.name!r}")
    finally:
        executor.close()
    executor.close()


def _fault(where: str) -> Callable[[BaseException], BaseException]:
    """Return what makes the error of a check out of what a backend raised; what a check itself found stays."""
    return lambda error: error if isinstance(error, BnnError) else failure(where, error, CheckError)


def _golden(network: Resolution) -> tuple[Any, Any]:
    resource = network.parameters.golden
    if resource is None:
        raise CheckError(
            f"{label(network)}: no golden vectors; bnncore pack writes them, name them in Parameters"
        )
    return parse_golden(read_resource(resource), str(resource_path(resource)), network.topology)


def _singles(inputs: Any) -> list[Any]:
    """Cut a batch into batches of one."""
    return [inputs[index : index + 1] for index in range(len(inputs))]


def _backends(subject: Subject, network: Resolution) -> list[str]:
    """Return the names of the backends that can run a network here."""
    with subject.open(network, "auto") as classifier:
        found = choose(subject.registry, classifier.job)
    return [each.backend.name for each in found if each.obstacle is None]


def _job(network: Network, like: Job | None = None) -> Job:
    return Job(
        topology=network.topology,
        network=lambda: network,
        parameters_id=f"random {id(network)}",
        find_bitstream=like.find_bitstream if like else lambda board: None,
        board=like.board if like else None,
    )


def _seen(found: list[str]) -> Finding:
    if not found:
        return seen("offers no parameters", "skipped")
    return seen("; ".join(found))
