#!/usr/bin/env python3
"""Writes known_answers.inc: what ggml makes of random blocks, and how well it quantises.

usage: make_known_answers.py LIBGGML_BASE.so > known_answers.inc

The library comes with llama.cpp (npm's node-llama-cpp carries it as libggml-base.so). Nothing here
knows the formats: random bytes go in, ggml's floats come out.
"""
import ctypes
import sys

import numpy as np

TYPES = [  # name, GGUF's type number, elements and bytes a block, where its halves are
    ("Q8_0", 8, 32, 34, [0]),
    ("Q4_0", 2, 32, 18, [0]),
    ("Q4_1", 3, 32, 20, [0, 2]),
    ("Q5_0", 6, 32, 22, [0]),
    ("Q5_1", 7, 32, 24, [0, 2]),
    ("Q4_K", 12, 256, 144, [0, 2]),
    ("Q5_K", 13, 256, 176, [0, 2]),
    ("Q6_K", 14, 256, 210, [208]),
]
HALVES = {"Q8_0": [0.0123], "Q4_0": [-0.5], "Q4_1": [0.25, -1.75], "Q5_0": [0.0625],
          "Q5_1": [-0.031, 0.9], "Q4_K": [0.0021, 0.0173], "Q5_K": [0.00105, 0.0163],
          "Q6_K": [-0.00037]}


def floats(pointer):
    return pointer.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


def noise(count):
    """Nearly normal values, sums of four 16-bit numbers; the C++ test makes the same ones."""
    state = np.uint32(12345)
    out = np.empty(count, np.float32)
    for i in range(count):
        total = 0
        for _ in range(4):
            state = np.uint32((int(state) * 1664525 + 1013904223) & 0xffffffff)
            total += int(state) >> 16
        out[i] = np.float32(total - 131070) * np.float32(2.0 ** -20)
    return out


def quantised_error(ggml, number, dequantise, size, values):
    count = values.size
    blocks = np.zeros(count // size * 256, np.uint8)
    ggml.ggml_quantize_chunk(number, floats(values), ctypes.c_void_p(blocks.ctypes.data),
                             ctypes.c_int64(0), ctypes.c_int64(count // 256), ctypes.c_int64(256),
                             None)
    back = np.empty(count, np.float32)
    dequantise(ctypes.c_void_p(blocks.ctypes.data), floats(back), ctypes.c_int64(count))
    miss = back.astype(np.float64) - values.astype(np.float64)
    return float((miss * miss).sum())


def rows(items, a_row):
    lines = [", ".join(items[i:i + a_row]) for i in range(0, len(items), a_row)]
    return "{" + ",\n  ".join(lines) + "}"


def main():
    ggml = ctypes.CDLL(sys.argv[1])
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    random = np.random.default_rng(1)
    values = noise(64 * 256)
    print("// Written by make_known_answers.py: for random blocks the squared error of ggml's")
    print("// quantiser on noise(16384), the block's bytes, and the bits of ggml's floats.")
    for name, number, size, width, places in TYPES:
        block = random.integers(0, 256, width, dtype=np.uint8)
        for place, value in zip(places, HALVES[name]):
            block[place:place + 2] = np.frombuffer(np.float16(value).tobytes(), np.uint8)
        dequantise = getattr(ggml, "dequantize_row_" + name.lower().replace("_k", "_K"))
        out = np.empty(size, np.float32)
        dequantise(ctypes.c_void_p(block.ctypes.data), floats(out), ctypes.c_int64(size))
        error = quantised_error(ggml, number, dequantise, size, values)
        bits = out.view(np.uint32)
        print(f"{{DType::k{name}, {error:.9g},")
        print(" " + rows([f"0x{b:02x}" for b in block], 16) + ",")
        print(" " + rows([f"0x{b:08x}" for b in bits], 8) + "},")


main()
