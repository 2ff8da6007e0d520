"""Messages put together of parts that are serialised already (pure).

A field of a message is its key, a length and the bytes, so what is kept in serialised form need not
be parsed to become part of a larger message.
"""

from __future__ import annotations


def field(number: int, message: bytes) -> bytes:
    """``message`` as field ``number`` of another."""
    return b"".join((_varint(number << 3 | 2), _varint(len(message)), message))


def _varint(number: int) -> bytes:
    """As protobuf writes numbers: seven bits a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
