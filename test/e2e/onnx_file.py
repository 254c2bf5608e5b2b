# Writes and reads ONNX files by hand: protobuf's wire format is short, and so tests need neither protobuf nor onnx.

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


def fields(text):
    """Pairs of a message: number, and an integer or bytes."""
    def take():
        nonlocal at
        result = shift = 0
        while True:
            byte = text[at]
            at += 1
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result
    at = 0
    while at < len(text):
        key = take()
        if key & 7 == 0:
            yield key >> 3, take()
            continue
        size = {1: 8, 5: 4}.get(key & 7) or take()
        yield key >> 3, text[at:at + size]
        at += size


def numbers_in(text):
    """Packed integers, not negative."""
    result, shift, value = [], 0, 0
    for byte in bytes(text):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            result.append(value)
            shift = value = 0
    return result


def array_of(text):
    """Name and numpy array of a TensorProto."""
    given = {}
    dims = []
    for number, content in fields(text):
        if number == 1:
            dims += [content] if isinstance(content, int) else numbers_in(content)
        else:
            given[number] = content
    kind = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8"}[given[2]]
    if 9 in given:
        data = np.frombuffer(bytes(given[9]), kind)
    elif 4 in given:
        data = np.frombuffer(bytes(given[4]), "<f4")
    else:
        content = given.get(5, given.get(7, b""))
        data = np.array([content] if isinstance(content, int) else numbers_in(content))
    return bytes(given[8]).decode(), data.reshape(dims)


def contents(path):
    """All tensors and nodes of a file, those of inner graphs too: {name: array}, [(op, name, inputs)]."""
    tensors, nodes = {}, []

    def graph(text):
        for number, content in fields(text):
            if number == 5:
                name, array = array_of(content)
                tensors[name] = array
            elif number == 1:
                parts = list(fields(content))
                texts = lambda wanted: [bytes(each).decode() for number, each in parts if number == wanted]
                nodes.append(((texts(4) or [""])[0], (texts(3) or [""])[0], texts(1)))
                for inner, attribute in parts:
                    if inner == 5:
                        for number6, each in fields(attribute):
                            if number6 == 6:
                                graph(each)
    for number, content in fields(memoryview(path.read_bytes())):
        if number == 7:
            graph(content)
    return tensors, nodes
