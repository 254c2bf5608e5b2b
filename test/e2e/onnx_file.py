# Writes ONNX files by hand: protobuf's wire format is short, and so tests need neither protobuf nor onnx.

import numpy as np


def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, array):
    array = np.asarray(array)
    kind = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7}[array.dtype.name]
    dims = b"".join(field(1, size) for size in array.shape)
    return dims + field(2, kind) + field(8, name) + field(9, array.tobytes())


def value(name, kind, dims):
    shape = b"".join(field(1, field(1, dim) if isinstance(dim, int) else field(2, dim)) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def node(op, inputs, outputs, **attributes):
    text = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    text += field(4, op)
    for name, number in attributes.items():
        if isinstance(number, list):
            text += field(5, field(1, name) + b"".join(field(8, each) for each in number) + field(20, 7))
        else:
            text += field(5, field(1, name) + field(3, number) + field(20, 2))
    return text


def model(nodes, inputs, outputs, initializers=(), opset=17):
    graph = b"".join(field(1, each) for each in nodes)
    graph += b"".join(field(5, each) for each in initializers)
    graph += b"".join(field(11, each) for each in inputs) + b"".join(field(12, each) for each in outputs)
    return field(1, 8) + field(7, graph) + field(8, field(2, opset))
