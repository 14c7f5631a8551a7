"""Bytes that can be checked without having been kept: they follow from the object's name."""

import hashlib

KIB, MIB = 1 << 10, 1 << 20

# Empty, inline, around a block, around a chunk, several chunks.
SIZES = [0, 1, 100, 4 * KIB, 8 * KIB, 64 * KIB, 64 * KIB + 1, 300 * KIB, MIB, 8 * MIB + 5, 19 * MIB]


def content(name, size):
    """`size` bytes that no other name has."""
    return hashlib.shake_128(name.encode()).digest(size)


def size_of(number, large=True):
    """A size for the number-th object: mostly small, as in life."""
    small = SIZES[:8]
    if large and number % 23 == 7:
        return SIZES[8 + number // 23 % 3]
    return small[number % len(small)]
