"""Writes a checkpoint as a GGUF file: export.py CHECKPOINT OUT [--type Q4_K_M | F32]"""

import argparse
import pathlib
import struct

import numpy as np
import torch

import quantize
from tokenizer import SPECIAL, Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
CONTEXT = 4096
ALIGNMENT = 32
F32, Q4_K, Q6_K = 0, 12, 14


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def key(name, kind, payload):
    return text(name) + struct.pack("<I", kind) + payload


def number(name, value):
    return key(name, 4, struct.pack("<I", value))


def real(name, value):
    return key(name, 6, struct.pack("<f", value))


def string(name, value):
    return key(name, 8, text(value))


def strings(name, values):
    return key(name, 9, struct.pack("<IQ", 8, len(values)) + b"".join(map(text, values)))


def model_keys(shape, vocabulary, file_type):
    return [
        string("general.architecture", "smollm3"), string("general.type", "model"),
        string("general.name", "notso demo"), string("general.license", "mit"),
        number("smollm3.block_count", shape["layers"]),
        number("smollm3.context_length", CONTEXT),
        number("smollm3.embedding_length", shape["hidden"]),
        number("smollm3.feed_forward_length", shape["ffn"]),
        number("smollm3.attention.head_count", shape["heads"]),
        number("smollm3.attention.head_count_kv", shape["kv_heads"]),
        real("smollm3.rope.freq_base", shape["rope_base"]),
        real("smollm3.attention.layer_norm_rms_epsilon", 1e-6),
        number("general.file_type", file_type), number("smollm3.vocab_size", vocabulary),
        number("smollm3.rope.dimension_count", shape["head_dim"]),
        number("general.quantization_version", 2)]


def tokenizer_keys(tokenizer):
    kinds = [1] * tokenizer.first_special
    kinds += [3 if s.startswith("<|") else 4 for s in SPECIAL]
    end = tokenizer.special("<|im_end|>")
    template = (HERE.parent / "chat_template.jinja").read_text(encoding="utf-8")
    return [
        string("tokenizer.ggml.model", "gpt2"), string("tokenizer.ggml.pre", "smaug-bpe"),
        strings("tokenizer.ggml.tokens", tokenizer.tokens),
        key("tokenizer.ggml.token_type", 9,
            struct.pack("<IQ", 5, len(kinds)) + np.array(kinds, "<i4").tobytes()),
        strings("tokenizer.ggml.merges", [" ".join(m) for m in tokenizer.merges]),
        number("tokenizer.ggml.bos_token_id", tokenizer.special("<|begin_of_text|>")),
        number("tokenizer.ggml.eos_token_id", end),
        number("tokenizer.ggml.padding_token_id", end),
        key("tokenizer.ggml.add_bos_token", 7, b"\0"),
        string("tokenizer.chat_template", template)]


def interleaved(rows, dim):
    """Rows [heads * dim, columns] from halves (i, i + dim / 2) to neighbours (2i, 2i + 1)."""
    halves = rows.reshape(-1, 2, dim // 2, rows.shape[-1])
    return halves.transpose(0, 2, 1, 3).reshape(rows.shape)


def gets_more_bits(layer, layers):
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def tensors(weights, shape):
    """(name, values, type) in the file's order, types as in a Q4_K_M mix."""
    dim, layers = shape["head_dim"], shape["layers"]
    yield "token_embd.weight", weights["embedding"], Q6_K
    for i in range(layers):
        more = Q6_K if gets_more_bits(i, layers) else Q4_K
        block = f"blk.{i}."
        yield block + "attn_norm.weight", weights["attn_norm"][i], F32
        yield block + "attn_q.weight", interleaved(weights["q"][i], dim), Q4_K
        yield block + "attn_k.weight", interleaved(weights["k"][i], dim), Q4_K
        yield block + "attn_v.weight", weights["v"][i], more
        yield block + "attn_output.weight", weights["o"][i], Q4_K
        yield block + "ffn_norm.weight", weights["ffn_norm"][i], F32
        yield block + "ffn_gate.weight", weights["gate"][i], Q4_K
        yield block + "ffn_up.weight", weights["up"][i], Q4_K
        yield block + "ffn_down.weight", weights["down"][i], more
    yield "output_norm.weight", weights["output_norm"], F32


def encode(values, kind):
    if kind == F32:
        return values.astype("<f4").tobytes()
    return (quantize.q4_k if kind == Q4_K else quantize.q6_k)(values)[0].tobytes()


def write(checkpoint, path, float_file=False):
    """Writes the file; the same checkpoint gives the same bytes."""
    shape = checkpoint["shape"]
    tokenizer = Tokenizer.load(HERE.parent / "vocabulary.json")
    weights = {name: value.float().numpy() for name, value in checkpoint["weights"].items()}
    keys = model_keys(shape, len(tokenizer.tokens), 0 if float_file else 15)
    keys += tokenizer_keys(tokenizer)
    infos, data = [], bytearray()
    for name, values, kind in tensors(weights, shape):
        kind = F32 if float_file else kind
        data += b"\0" * (-len(data) % ALIGNMENT)
        dims = values.shape[::-1]
        infos.append(text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind,
                                              len(data)))
        data += encode(np.ascontiguousarray(values), kind)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(keys)) + b"".join(keys + infos)
    head += b"\0" * (-len(head) % ALIGNMENT)
    data += b"\0" * (-len(data) % ALIGNMENT)
    pathlib.Path(path).write_bytes(head + data)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--type", choices=["Q4_K_M", "F32"], default="Q4_K_M")
    arguments = parser.parse_args()
    write(torch.load(arguments.checkpoint), arguments.out, arguments.type == "F32")


if __name__ == "__main__":
    main()
