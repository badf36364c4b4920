"""The same shapes in onnxruntime, float32 and int8, on one thread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
from bnnhw.topology import Conv, Pool, Topology
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static


def _model(topology: Topology, path: str) -> None:
    """Write a network of the topology's shapes with random weights of -1 and +1 and ReLUs for thresholds."""
    random = np.random.default_rng(0)
    nodes, weights = [], []
    given = topology.input
    dense = not isinstance(topology.layers[0], Conv)
    shape: list[int | str]
    shape = ["N", given.height * given.width] if dense else ["N", given.channels, given.height, given.width]
    name, channels, size = "input", given.channels, (given.height, given.width)
    flat = dense
    for number, layer in enumerate(topology.layers):
        out = f"layer{number}"
        if isinstance(layer, Pool):
            window = [layer.size, layer.size]
            nodes.append(
                helper.make_node("MaxPool", [name], [out], kernel_shape=window, strides=[layer.stride] * 2)
            )
            size = ((size[0] - layer.size) // layer.stride + 1, (size[1] - layer.size) // layer.stride + 1)
            name = out
            continue
        if isinstance(layer, Conv):
            kernel = (layer.outputs, channels, layer.kernel, layer.kernel)
            weights.append(
                numpy_helper.from_array(random.choice([-1, 1], kernel).astype(np.float32), f"w{number}")
            )
            pads = [layer.padding] * 4
            nodes.append(
                helper.make_node("Conv", [name, f"w{number}"], [out], strides=[layer.stride] * 2, pads=pads)
            )
            size = tuple((side + 2 * layer.padding - layer.kernel) // layer.stride + 1 for side in size)
            channels = layer.outputs
        else:
            fan_in = channels * size[0] * size[1]
            if not flat:
                nodes.append(helper.make_node("Flatten", [name], [f"flat{number}"]))
                name, flat = f"flat{number}", True
            matrix = random.choice([-1, 1], (fan_in, layer.outputs)).astype(np.float32)
            weights.append(numpy_helper.from_array(matrix, f"w{number}"))
            nodes.append(helper.make_node("MatMul", [name, f"w{number}"], [out]))
            channels, size = layer.outputs, (1, 1)
        name = out
        if number < len(topology.layers) - 1:
            nodes.append(helper.make_node("Relu", [name], [f"{name}r"]))
            name = f"{name}r"
    graph = helper.make_graph(
        nodes,
        topology.name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


class _Samples(CalibrationDataReader):
    def __init__(self, batch: np.ndarray) -> None:
        self._left = iter([{"input": batch}])

    def get_next(self):
        return next(self._left, None)


def peers(topology: Topology, images: np.ndarray, folder: str) -> dict[str, Callable[[int], object]]:
    """Return functions that run the first ``count`` images, by the peer's name."""
    plain, quantised = f"{folder}/{topology.name}.onnx", f"{folder}/{topology.name}-int8.onnx"
    _model(topology, plain)
    batch = images.astype(np.float32) / 128 - 1
    if isinstance(topology.layers[0], Conv):
        batch = np.ascontiguousarray(batch.reshape(len(images), *topology.input.shape).transpose(0, 3, 1, 2))
    else:
        batch = batch.reshape(len(images), -1)
    quantize_static(
        plain,
        quantised,
        _Samples(batch),
        quant_format=QuantFormat.QOperator,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    result: dict[str, Callable[[int], object]] = {}
    for name, path in (("onnxruntime float32", plain), ("onnxruntime int8", quantised)):
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        result[name] = lambda count, session=session: session.run(None, {"input": batch[:count]})
    return result
