"""BNN-PYNQ's package ``bnn`` on top of the registry: ``import bnncore.compat.bnn as bnn`` runs its notebooks.

Both versions' classes and constants, with the results, types and rules of the original
(docs/reference/bnn-pynq-parameters.md#which-class-wins). What crashed or printed an error raises a ``BnnError``; what
only an accident of memory answered has the value that was meant. docs/from-bnn-pynq.md#what-behaves-differently-and-why
lists the differences. Each old call warns once with today's (``OldCallWarning``).

>>> import bnncore.compat.bnn as bnn
>>> classifier = bnn.CnvClassifier(bnn.NETWORK_CNVW1A1, "cifar10", bnn.RUNTIME_SW)
>>> classifier.class_name(classifier.classify_path("examples/ship.png"))
'Ship'
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from bnncore import environment
from bnncore.classifier import Classifier
from bnncore.compat.oldcalls import OldCallWarning, warn_old_call
from bnncore.compat.oldfiles import cifar_record, read_cifar, read_idx3
from bnncore.compat.oldparams import Found, available, find, open_found, read_old_classes
from bnncore.compat.oldrules import many_bits, many_scores, one_bits, one_scores
from bnncore.errors import BackendError, InputError
from bnncore.pictures.decoding import Source

__all__ = [
    "BNN_PARAM_DIR",
    "BNN_ROOT_DIR",
    "NETWORK_CNV",
    "NETWORK_CNVW1A1",
    "NETWORK_CNVW1A2",
    "NETWORK_CNVW2A2",
    "NETWORK_LFC",
    "NETWORK_LFCW1A1",
    "NETWORK_LFCW1A2",
    "RUNTIME_HW",
    "RUNTIME_SW",
    "CnvClassifier",
    "LfcClassifier",
    "OldCallWarning",
    "PynqBNN",
    "available_params",
    "verbose",
]

RUNTIME_HW = "python_hw"
RUNTIME_SW = "python_sw"

NETWORK_CNVW1A1 = "cnvW1A1"
NETWORK_CNVW1A2 = "cnvW1A2"
NETWORK_CNVW2A2 = "cnvW2A2"
NETWORK_LFCW1A1 = "lfcW1A1"
NETWORK_LFCW1A2 = "lfcW1A2"

# The first version's two.
NETWORK_CNV = "cnv-pynq"
NETWORK_LFC = "lfc-pynq"

_NETWORKS = {NETWORK_CNV: NETWORK_CNVW1A1, NETWORK_LFC: NETWORK_LFCW1A1} | {
    name: name for name in (NETWORK_CNVW1A1, NETWORK_CNVW1A2, NETWORK_CNVW2A2, NETWORK_LFCW1A1, NETWORK_LFCW1A2)
}

# For a user without a home the sign stays, and names a folder that is not there.
BNN_ROOT_DIR = str(Path(os.path.expanduser("~"), ".local", "share", "bnncore"))  # noqa: PTH111  # never raises
"""Where the parameter folder is, unless the environment says otherwise."""

BNN_PARAM_DIR = environment.BNN_PARAM_DIR.value or str(Path(BNN_ROOT_DIR) / "params")
"""The folder of old parameter sets, ``<data set>/<network>``; set it, or the environment variable of this name."""

verbose = False
"""Set it to have each inference print its time and rate, as it always did."""

Array = npt.NDArray[np.int32]


def available_params(network: str) -> list[str]:
    """Return the data sets that a network has parameters for; none for an unknown network."""
    warn_old_call("bnn.available_params(network)", "bnncore.names()")
    return available(_NETWORKS[network], Path(BNN_PARAM_DIR)) if network in _NETWORKS else []


class PynqBNN:
    """One network on one runtime; images come from files.

    Args:
        runtime: ``RUNTIME_HW`` for the FPGA, ``RUNTIME_SW`` for the CPU.
        network: one of the ``NETWORK_`` constants.
        load_overlay: kept for the signature. The device is programmed when it must be, and two objects never
            get each other's network.

    Attributes:
        bitstream_path: the bitstream's file, once there are parameters; None for ``RUNTIME_SW``.
        classes: names, from ``load_parameters`` on.
        num_classes: 0, as it always was; ``len(classes)`` is the number.
        usecPerImage: microseconds an image took in the last call, the computing alone.

    Raises:
        BackendError: if the runtime is unknown.
        UnknownNameError: if the network is.
    """

    def __init__(
        self, runtime: str = RUNTIME_HW, network: str = NETWORK_CNV, load_overlay: bool = True
    ) -> None:
        warn_old_call("bnn.PynqBNN(runtime, network)", "bnncore.get(name) or bnncore.load(path)")
        self._set_up(runtime, network)

    @classmethod
    def _quietly(cls, runtime: str, network: str, found: Found) -> PynqBNN:
        """Make one for a classifier, which has warned already."""
        self = cls.__new__(cls)
        self._set_up(runtime, network)
        self._take(found)
        return self

    def _set_up(self, runtime: str, network: str) -> None:
        if runtime not in (RUNTIME_HW, RUNTIME_SW):
            raise BackendError(f"expected RUNTIME_HW or RUNTIME_SW as the runtime, found {runtime!r}")
        if network not in _NETWORKS:
            raise InputError(f"expected a network of {', '.join(_NETWORKS)}, found {network!r}")
        self._runtime = runtime
        self._network = _NETWORKS[network]
        self._lfc = self._network.startswith("lfc")
        self._classifier: Classifier | None = None
        self.bitstream_path: str | None = None
        self.num_classes = 0
        self.classes: list[str] = []
        self.usecPerImage = 0.0  # the old name

    @property
    def bitstream_name(self) -> str | None:
        """Name of the bitstream's file, once there are parameters; None for ``RUNTIME_SW``."""
        return None if self.bitstream_path is None else Path(self.bitstream_path).name

    def load_parameters(self, params: str) -> None:
        """Take parameters by name or absolute path.

        Raises:
            ParameterError: if the folder is not there or not a set of this network.
            UnknownNameError: if nothing has that name.
            BackendError: if the runtime cannot run them here.
        """
        warn_old_call("PynqBNN.load_parameters(params)", "bnncore.get(name) or bnncore.load(path)")
        self._take(find(os.fspath(params), self._network, Path(BNN_PARAM_DIR)))

    def inference(self, path: str) -> int:
        """Return the class of the first image in a CIFAR or idx3 file."""
        warn_old_call("PynqBNN.inference(path)", "classifier.classify(image).index")
        return self._one(self._read(path))

    def detailed_inference(self, path: str) -> Array:
        """Return int32 [classes] for the first image: its scores, or 1 at its class for LFC."""
        warn_old_call("PynqBNN.detailed_inference(path)", "classifier.classify(image).scores")
        return self._one_details(self._read(path))

    def inference_multiple(self, path: str) -> Array:
        """Return int32 [N]: the class of each image in a CIFAR or idx3 file."""
        warn_old_call("PynqBNN.inference_multiple(path)", "classifier.classify_batch(images)")
        return self._many(self._read(path))

    def inference_multiple_detail(self, path: str) -> Array:
        """Return int32 [N * classes], the scores image by image; for LFC the classes, int32 [N]."""
        warn_old_call("PynqBNN.inference_multiple_detail(path)", "classifier.scores(batch)")
        return self._many_details(self._read(path))

    def class_name(self, index: int) -> str:
        """Return the name of a class."""
        warn_old_call("PynqBNN.class_name(index)", "classifier.classes[index], or prediction.label")
        return self.classes[index]

    # ------------------------------------------------------------------------------------------

    def _take(self, found: Found) -> None:
        classifier = open_found(found, self._network, self._runtime)
        self.classes = list(classifier.classes) if isinstance(found, str) else read_old_classes(found)
        if self._classifier is not None:
            self._classifier.close()
        self._classifier = classifier
        if self._runtime == RUNTIME_HW:
            self.bitstream_path = str(getattr(classifier._ready().executor, "bit", None))

    def _read(self, path: str) -> npt.NDArray[np.uint8]:
        return read_idx3(path) if self._lfc else read_cifar(path)

    def _scores(self, images: npt.NDArray[np.uint8]) -> Array:
        """Return int32 [N, classes], and note and perhaps print the time."""
        if self._classifier is None:
            raise InputError("this PynqBNN has no parameters yet; call load_parameters first")
        start = time.perf_counter()
        scores = self._classifier.scores(images)
        # Whole microseconds, at least one: the rate is their inverse.
        total = max(1, int((time.perf_counter() - start) * 1e6))
        self.usecPerImage = total / max(1, len(images))
        if verbose:
            print(f"Inference took {total:.2f} microseconds, {self.usecPerImage:.2f} usec per image")  # noqa: T201  # as the old package
            print(f"Classification rate: {1e6 / self.usecPerImage:.2f} images per second")  # noqa: T201  # as the old package
        return scores

    def _one(self, images: npt.NDArray[np.uint8]) -> int:
        scores = self._scores(images[:1])[0]
        return one_bits(scores) if self._lfc else one_scores(scores)

    def _one_details(self, images: npt.NDArray[np.uint8]) -> Array:
        scores = self._scores(images[:1])[0]
        if not self._lfc:
            return np.array(scores)
        details = np.zeros(len(self.classes), np.int32)
        details[one_bits(scores)] = 1
        return details

    def _many(self, images: npt.NDArray[np.uint8]) -> Array:
        scores = self._scores(images)
        return many_bits(scores) if self._lfc else many_scores(scores)

    def _many_details(self, images: npt.NDArray[np.uint8]) -> Array:
        return self._many(images) if self._lfc else np.array(self._scores(images)).reshape(-1)


class _Classifier:
    """What the two classifiers have in common."""

    _first_version_network: str

    def __init__(
        self, network: str | None = None, params: str | None = None, runtime: str | None = None
    ) -> None:
        if network is not None and network not in _NETWORKS:
            # The first version's form: (params, runtime=RUNTIME_HW).
            network, params, runtime = None, network, runtime or params
        network = network or self._first_version_network
        topology = _NETWORKS[network]
        if params is None:
            raise InputError(f"expected the name or path of parameters for {network}, found none")
        if topology[:3] != _NETWORKS[self._first_version_network][:3]:
            raise InputError(f"{type(self).__name__} cannot run {network}; take the other classifier")
        self.net = network
        self.params = params
        self.runtime = runtime or RUNTIME_HW
        found = find(os.fspath(params), topology, Path(BNN_PARAM_DIR))
        warn_old_call(
            f"bnn.{type(self).__name__}(…{params!r}…)",
            f"classifier = {_todays_call(found, topology, self.runtime)}",
            stacklevel=3,
        )
        self.bnn = PynqBNN._quietly(self.runtime, network, found)
        self.classes = self.bnn.classes

    @property
    def usecPerImage(self) -> float:  # noqa: N802  # the old name
        """Microseconds an image took in the last call, the computing alone; 0 before the first."""
        return self.bnn.usecPerImage

    def class_name(self, index: int) -> str:
        """Return the name of a class."""
        warn_old_call("classifier.class_name(index)", "prediction.label, or classifier.classes[index]")
        return self.classes[index]


class CnvClassifier(_Classifier):
    """A convolutional network on pictures and CIFAR files. A picture may also be an array, RGB.

    ``CnvClassifier(network, params, runtime=RUNTIME_HW)``, or the first version's ``CnvClassifier(params,
    runtime=RUNTIME_HW)``.

    Attributes:
        net: the network as it was given.
        params: the parameters as they were given.
        runtime: the runtime.
        bnn: the ``PynqBNN`` beneath.
        classes: names.

    Raises:
        UnknownNameError: if there are no such parameters.
        ParameterError: if they are damaged.
        BackendError: if the runtime cannot run here.
    """

    _first_version_network = NETWORK_CNV

    def image_to_cifar(self, img: Source, fp: IO[bytes]) -> None:
        """Append a picture to a binary file as one CIFAR record with label 1; the picture stays as it is."""
        warn_old_call("CnvClassifier.image_to_cifar(img, fp)", "classifier.preprocess(image)")
        fp.write(b"\x01" + cifar_record(img).transpose(2, 0, 1).tobytes())

    def classify_image(self, img: Source) -> int:
        """Return the class of a picture."""
        warn_old_call("CnvClassifier.classify_image(img)", "classifier.classify(image).index")
        return self.bnn._one(cifar_record(img)[None])

    def classify_images(self, imgs: Iterable[Source]) -> Array:
        """Return int32 [N]: the class of each picture; none for none."""
        warn_old_call(
            "CnvClassifier.classify_images(imgs)", "[p.index for p in classifier.classify_batch(images)]"
        )
        return self.bnn._many(_records(imgs))

    def classify_image_details(self, img: Source) -> Array:
        """Return int32 [classes]: the scores of a picture."""
        warn_old_call("CnvClassifier.classify_image_details(img)", "classifier.classify(image).scores")
        return self.bnn._one_details(cifar_record(img)[None])

    def classify_details(self, img: Source) -> Array:
        """Return int32 [classes]: the scores of a picture; the first version's name."""
        warn_old_call("CnvClassifier.classify_details(img)", "classifier.classify(image).scores")
        return self.bnn._one_details(cifar_record(img)[None])

    def classify_images_details(self, imgs: Iterable[Source]) -> Array:
        """Return int32 [N * classes]: the scores, picture by picture."""
        warn_old_call(
            "CnvClassifier.classify_images_details(imgs)",
            "[p.scores for p in classifier.classify_batch(images)]",
        )
        return self.bnn._many_details(_records(imgs))

    def classify_path(self, path: str) -> int:
        """Return the class of a picture in a file."""
        warn_old_call("CnvClassifier.classify_path(path)", "classifier.classify(path).index")
        return self.bnn._one(cifar_record(path)[None])

    def classify_paths(self, paths: Iterable[str]) -> Array:
        """Return int32 [N]: the class of the picture in each file."""
        warn_old_call(
            "CnvClassifier.classify_paths(paths)", "[p.index for p in classifier.classify_batch(paths)]"
        )
        return self.bnn._many(_records(paths))

    def classify_cifar(self, path: str) -> int:
        """Return the class of the first image in a CIFAR file."""
        warn_old_call("CnvClassifier.classify_cifar(path)", "classifier.classify(array).index")
        return self.bnn._one(read_cifar(path))

    def classify_cifars(self, path: str) -> Array:
        """Return int32 [N]: the class of each image in a CIFAR file."""
        warn_old_call("CnvClassifier.classify_cifars(path)", "classifier.scores(batch).argmax(axis=1)")
        return self.bnn._many(read_cifar(path))

    def classify_cifar_details(self, path: str) -> Array:
        """Return int32 [classes]: the scores of the first image in a CIFAR file."""
        warn_old_call("CnvClassifier.classify_cifar_details(path)", "classifier.scores(batch)[0]")
        return self.bnn._one_details(read_cifar(path))

    def classify_cifars_details(self, path: str) -> Array:
        """Return int32 [N * classes]: the scores of the images in a CIFAR file, image by image."""
        warn_old_call("CnvClassifier.classify_cifars_details(path)", "classifier.scores(batch)")
        return self.bnn._many_details(read_cifar(path))


class LfcClassifier(_Classifier):
    """A fully connected network on MNIST files; arguments and attributes as for ``CnvClassifier``."""

    _first_version_network = NETWORK_LFC

    def classify_mnist(self, mnist_format_file: str) -> int:
        """Return the class of the first image in an idx3 file."""
        warn_old_call("LfcClassifier.classify_mnist(file)", "classifier.classify(image).index")
        return self.bnn._one(read_idx3(mnist_format_file))

    def classify_mnists(self, mnist_format_file: str) -> Array:
        """Return int32 [N]: the class of each image in an idx3 file."""
        warn_old_call(
            "LfcClassifier.classify_mnists(file)", "[p.index for p in classifier.classify_batch(images)]"
        )
        return self.bnn._many(read_idx3(mnist_format_file))


def _records(images: Iterable[Source]) -> npt.NDArray[np.uint8]:
    """Return uint8 [N, 32, 32, 3]; N may be 0, for which the original crashed."""
    records = [cifar_record(image) for image in images]
    return np.stack(records) if records else np.empty((0, 32, 32, 3), np.uint8)


def _todays_call(found: Found, topology: str, runtime: str) -> str:
    backend = ', backend="cpu"' if runtime == RUNTIME_SW else ""
    if isinstance(found, str):
        return f'bnncore.get("{found}", topology="{topology}"{backend})'
    return f'bnncore.load("{found}", topology="{topology}"{backend})'
