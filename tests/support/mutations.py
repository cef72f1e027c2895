"""Mutations of texts and bytes, as accidents and strangers make them; a seed chooses one.

A mutation takes a ``random.Random`` and the content of a file and returns another content.
``damaged_files`` has those that know a binary format.
"""

import copy
import json
import random
import re
from collections.abc import Callable

Mutation = Callable[[random.Random, bytes], bytes]

PIECES = [
    *"{}[](),:;=\"'`#/*\\<>-+.eE0123456789 \n\r\t\x00\x1b\ufeff“”’\u00a0\u202e…é😀",
    *("true", "false", "null", "True", "None", "NaN", "-Infinity", "//", "/*", "*/", "=>", "\r\n"),
    *("<<<<<<< HEAD\n", "=======\n", ">>>>>>> b\n", "```json\n"),
    *("0x1F", "1_000", ".5", "1.", "007", "1e999", "9" * 30, "\\u12", "\\ud800", '"""'),
    *("{" * 70, "[" * 70, '{"a":' * 70, "''", '""'),
]
"""Pieces of text that are put where they do not belong."""

VALUES = [
    *(None, True, False, 0, 1, -1, 2**63, 10**400, 0.5, -0.0, 1e308, "", "a", "cuba", "dense", "é"),
    *([], {}, [[]], [0], {"": 0}, {"type": "dense"}, {"type": None}, [1, [2, [3]]], "x" * 5000),
    *({"<dense>": 1}, {"path": "a.bs1"}, {"path": "\0"}, {"0": 0}, "/dev/null", "../..", "a\nb"),
    *("\x1b[31mred\x1b[0m", "\ud800", "task/input0.bs1"),
]
"""Values of JSON that are put in the place of others."""

WHOLE = [
    *(b"", b"\0", b"\0" * 4096, b"\xff" * 64, b"\n", b"{}", b"[]", b"null", b'""', b"1"),
    *(b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, b'"' + b"x" * 1_000_000),
    *('{"format": 1}'.encode("utf-16"), b"\xef\xbb\xbf{}", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"),
    *(b"\x93NUMPY\x01\x00", b"\x93NUMPY\x01\x00\xff\xff", b"\xff" * 8 + b"{}"),
]
"""Contents that a file has by accident or malice, whatever its format is."""


def replace_all(chance: random.Random, _content: bytes) -> bytes:
    """Replaces the whole content."""
    return chance.choice(WHOLE)


def damage_bytes(chance: random.Random, content: bytes) -> bytes:
    """Flips, replaces, inserts, removes or clears bytes, or cuts off the end."""
    data = bytearray(content)
    if chance.random() < 0.1:
        return bytes(data[: chance.randrange(len(data) + 1)])
    for _ in range(chance.choice((1, 1, 1, 2, 8, 32))):
        at, how = chance.randrange(max(1, len(data))), chance.randrange(5)
        if how == 0:
            data[at : at + chance.randrange(64)] = bytes(chance.randrange(64))
        elif how == 1:
            data[at : at + chance.choice((0, 0, 1, 1, 2, 20))] = chance.randbytes(
                chance.randrange(4)
            )
        elif data:
            data[at] = chance.choice((chance.randrange(256), data[at] ^ 1, 0, 255))
    return bytes(data)


def damage_text(chance: random.Random, content: bytes) -> bytes:
    """Inserts, removes and exchanges pieces of text, most often at punctuation."""
    text = content.decode()
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(text) + 1)
        marks = [at + i for i, each in enumerate(text[at : at + 80]) if each in '{}[]:,"']
        at = chance.choice(marks) if marks and chance.random() < 0.7 else at
        piece = chance.choice(("", "", chance.choice(PIECES)))
        text = text[:at] + piece + text[at + chance.choice((0, 1, 1, 1, 30)) :]
    return text.encode()


def damage_lines(chance: random.Random, content: bytes) -> bytes:
    """Drops, repeats, exchanges and indents lines, or cuts off the last ones."""
    lines = re.split(r"\n|\r(?!\n)", content.decode())
    for _ in range(chance.randint(1, 3)):
        first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
        how = chance.randrange(5)
        if how == 0:
            del lines[first]
        elif how == 1:
            lines.insert(second, lines[first])
        elif how == 2:
            lines[first], lines[second] = lines[second], lines[first]
        elif how == 3:
            lines[first] = " " * chance.randrange(9) + lines[first].lstrip()
        else:
            lines = lines[: first + 1]
        lines = lines or [""]
    return chance.choice(("\n", "\n", "\r\n", " ")).join(lines).encode()


def damage_json(chance: random.Random, content: bytes) -> bytes:
    """Removes, renames, replaces and moves members. The text stays JSON."""
    document = json.loads(content)
    for _ in range(chance.choice((1, 1, 2, 5))):
        damage_value(chance, document)
    return json.dumps(document, indent=chance.choice((None, 1, 2))).encode()


def damage_value(chance: random.Random, document: dict | list) -> None:
    """Changes one member of a JSON document in place."""
    holder = chance.choice(holders(document))
    if isinstance(holder, list):
        holder.insert(chance.randrange(len(holder) + 1), copy.deepcopy(chance.choice(VALUES)))
        del holder[chance.randrange(len(holder))]
        return
    key, how = chance.choice([*holder, "type"]), chance.randrange(4)
    value = holder.pop(key, None)
    if how == 0:
        holder[key] = copy.deepcopy(chance.choice(VALUES))
    elif how == 1:
        holder[key[:-1] or chance.choice("ab")] = value
    elif how == 2:
        other = chance.choice([each for each in holders(document) if isinstance(each, dict)])
        other[key] = value


def holders(value: object) -> list[dict | list]:
    """Returns all objects and arrays of a JSON document."""
    if not isinstance(value, dict | list):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [value, *(each for member in inner for each in holders(member))]


TEXT: tuple[Mutation, ...] = (damage_bytes, damage_text, damage_text, damage_lines, damage_json)
"""Mutations of a JSON document."""
