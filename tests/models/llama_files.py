# SPDX-License-Identifier: MIT
"""Models and vocabularies in the formats that examples/llama reads: random ones to be written, real ones to be found,
and an encoder of its own to compare tokens with."""

import os
import pathlib
import random
import struct


def find_model():
    """(checkpoint, vocabulary, expected text) under MMARN_MODELS, or None."""
    folder = os.environ.get("MMARN_MODELS")
    names = ("stories260K.bin", "tok512.bin", "expected-200.txt")
    paths = tuple(pathlib.Path(folder) / name for name in names) if folder else ()
    return paths if paths and all(path.is_file() for path in paths) else None


def write_model(path, seed, dim, hidden, layers, heads, kv_heads, vocab, seq_len, own_classifier):
    """A random checkpoint whose activations stay near 1."""
    source = random.Random(seed)
    kv_dim = dim // heads * kv_heads

    def matrices(count, rows, columns):
        return [source.gauss(0, 1) * columns**-0.5 for _ in range(count * rows * columns)]

    def gammas(count):
        return [source.uniform(0.5, 1.5) for _ in range(count * dim)]

    values = [source.gauss(0, 1) * 0.3 for _ in range(vocab * dim)]
    values += gammas(layers)
    values += matrices(layers, dim, dim) + matrices(layers, kv_dim, dim)
    values += matrices(layers, kv_dim, dim) + matrices(layers, dim, dim)
    values += gammas(layers)
    values += matrices(layers, hidden, dim) + matrices(layers, dim, hidden) + matrices(layers, hidden, dim)
    values += gammas(1)
    values += [0.0] * (seq_len * (dim // heads))
    if own_classifier:
        values += matrices(1, vocab, dim)
    header = (dim, hidden, layers, heads, kv_heads, -vocab if own_classifier else vocab, seq_len)
    path.write_bytes(struct.pack(f"<7i{len(values)}f", *header, *values))


def write_tokenizer(path, entries):
    """entries are (bytes, score)."""
    longest = max(len(text) for text, _ in entries)
    parts = [struct.pack("<i", longest)]
    parts += [struct.pack("<fi", score, len(text)) + text for text, score in entries]
    path.write_bytes(b"".join(parts))


def read_tokenizer(path, vocab):
    data = path.read_bytes()
    at, entries = 4, []
    for _ in range(vocab):
        score, length = struct.unpack_from("<fi", data, at)
        entries.append((data[at + 8 : at + 8 + length], score))
        at += 8 + length
    return entries


def encode(entries, text):
    """The tokens of a text, by the definition: merge the best pair, again and again."""
    number = {}
    for index, (piece, _) in enumerate(entries):
        number.setdefault(piece, index)
    tokens = []
    for character in " " + text:
        piece = character.encode()
        names = [piece] if piece in number else [b"<0x%02X>" % byte for byte in piece]
        tokens += [number.get(name, 0) for name in names]
    while True:
        pairs = []
        for i in range(len(tokens) - 1):
            union = number.get(entries[tokens[i]][0] + entries[tokens[i + 1]][0])
            if union is not None:
                pairs.append((-entries[union][1], i, union))
        if not pairs:
            return [1] + tokens
        _, i, union = min(pairs)
        tokens[i : i + 2] = [union]
