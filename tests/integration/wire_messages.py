"""Bytes for any method: messages of its type, right, nearly right and wrong, built by hypothesis.

Built as wire format, field by field from the descriptors, since no library would serialise what is
worth sending: text that is no UTF-8, fields twice and out of order, groups a thousand deep.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from random import Random

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

#: Strategies for some fields by their full names; all others get anything.
Values = Mapping[str, st.SearchStrategy[bytes]]

_VARINTS = frozenset(
    {
        FieldDescriptor.TYPE_BOOL,
        FieldDescriptor.TYPE_ENUM,
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
    }
)
_VARINT, _FIXED64, _LENGTH, _BEGIN, _END, _FIXED32 = range(6)

#: What fits into a field and what doesn't: numbers are sent as 64 bits, whatever they become.
numbers = st.one_of(
    st.integers(-2, 200),
    st.sampled_from([(1 << 31) - 1, 1 << 31, -(1 << 31), (1 << 63) - 1, -(1 << 63)]),
    st.integers(-(1 << 63), (1 << 63) - 1),
)
_ODD_TEXTS = st.sampled_from(
    [
        b"",
        b"\0",
        b"\n",
        b"..",
        b"/",
        b"../../x",
        b"\xff",
        b"\xc3\xa9",
        b"\xed\xa0\x80",
        b"%s%n",
        b"'",
    ]
)
_HUGE_TEXTS = st.builds(
    lambda piece, times: piece * times,
    st.sampled_from([b"x", b"\xc3\xa9", b"\xff", b"\n"]),
    st.sampled_from([300, 5_000, 140_000]),
)
_SHORT_TEXTS = st.one_of(_ODD_TEXTS, st.text(max_size=12).map(str.encode), st.binary(max_size=12))
texts = st.integers(0, 60).flatmap(lambda one: _SHORT_TEXTS if one else _HUGE_TEXTS)


@cache
def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def tagged(number: int, wire_type: int, payload: bytes) -> bytes:
    return varint(number << 3 | wire_type) + payload


def counted(number: int, payload: bytes) -> bytes:
    """A field with its length in front."""
    return tagged(number, _LENGTH, varint(len(payload)) + payload)


def _group(number: int, depth: int) -> bytes:
    return tagged(number, _BEGIN, b"") * depth + tagged(number, _END, b"") * depth


_unknown_numbers = st.integers(900, 1 << 20)


def _unknown(wire_type: int, payload: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(tagged, _unknown_numbers, st.just(wire_type), payload)


#: Fields that nobody knows: a newer scheduler's, or deep nests of them.
unknown_fields = st.one_of(
    _unknown(_VARINT, numbers.map(varint)),
    _unknown(_FIXED32, st.binary(min_size=4, max_size=4)),
    _unknown(_FIXED64, st.binary(min_size=8, max_size=8)),
    st.builds(counted, _unknown_numbers, texts),
    st.builds(_group, _unknown_numbers, st.sampled_from([1, 50, 150, 2_000])),
)


def fields(message: Descriptor, values: Values, many: int = 6) -> st.SearchStrategy[bytes]:
    """Some fields of a message type, in any order, some of them twice, some unknown."""
    known = [_field(each, values) for each in message.fields]
    known += [_field(each, values) for each in message.fields if each.full_name in values] * 5
    return st.lists(st.one_of(*known, unknown_fields.map(bytes)), max_size=many).map(b"".join)


def _field(field: FieldDescriptor, values: Values) -> st.SearchStrategy[bytes]:
    number = field.number
    if field.type in _VARINTS:
        given = values.get(field.full_name, numbers.map(varint))
        return given.map(lambda value: tagged(number, _VARINT, value))
    if field.type == FieldDescriptor.TYPE_STRING:
        return values.get(field.full_name, texts).map(lambda value: counted(number, value))
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        inner = st.deferred(lambda: fields(field.message_type, values))
        return inner.map(lambda value: counted(number, value))
    raise NotImplementedError(f"the contract had no field like {field.full_name}")


def damaged(message: bytes, chance: Random) -> bytes:
    """The message with a piece of it gone, changed, added or repeated."""
    at, end = sorted((chance.randint(0, len(message)), chance.randint(0, len(message))))
    end = min(end, at + 4)
    piece = (b"", chance.randbytes(end - at), chance.randbytes(3), message[at:end] * 2)
    return message[:at] + chance.choice(piece) + message[end:]
