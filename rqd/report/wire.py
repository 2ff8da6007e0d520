"""Messages put together of parts that are serialised already (pure).

A field of a message is its key, a length and the bytes, so what is kept in serialised form need not
be parsed to become part of a larger message.
"""

from __future__ import annotations


def field(number: int, message: bytes) -> bytes:
    """``message`` as field ``number`` of another."""
    return _varint(number << 3 | 2) + _varint(len(message)) + message


def _varint(number: int) -> bytes:
    """As protobuf writes numbers: seven bits a byte, the lowest first."""
    if number < 0x80:
        return _LAST[number]
    return _MORE[number & 0x7F] + _varint(number >> 7)


_LAST = [bytes((number,)) for number in range(0x80)]
_MORE = [bytes((number | 0x80,)) for number in range(0x80)]
