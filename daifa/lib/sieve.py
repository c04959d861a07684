"""A sieve of words: says of a word that it was certainly not put in, or perhaps. Without its key it says nothing.

A Bloom filter: `BITS` bits a word, `PLACES` of them set; three words in a thousand that were not put in pass all the same.
Without a key it serves the process that made it, and no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

BITS = 12
PLACES = 8

Spot = tuple[int, int]


class Sieve:
    """The bits, and the key the words were hashed with (at most 64 bytes; none: for this process alone, and quicker)."""

    def __init__(self, key: bytes, bits: bytes | bytearray) -> None:
        self.key = key
        self.bits = bits

    @classmethod
    def of(cls, words: Collection[str], key: bytes) -> Sieve:
        """A sieve that lets exactly these words pass, and a few more."""
        made = cls.for_about(len(words), key)
        made.add(words)
        return made

    @classmethod
    def for_about(cls, words: int, key: bytes = b"") -> Sieve:
        """An empty one with room for so many words."""
        return cls(key, bytearray(max(64, -(-words * BITS // 8))))

    def add(self, words: Iterable[str]) -> None:
        """Put words in."""
        size, bits = len(self.bits) * 8, self.bits
        assert isinstance(bits, bytearray)
        for word in words:
            place, step = spot(word, self.key)
            for _ in range(PLACES):
                place %= size
                bits[place >> 3] |= 1 << (place & 7)
                place += step

    def may_hold(self, word: str) -> bool:
        """False: it was not put in."""
        return self.may_hold_spot(spot(word, self.key))

    def may_hold_spot(self, found: Spot) -> bool:
        """The same for a word that was hashed before (`spot`), where many sieves are asked for it."""
        size, bits = len(self.bits) * 8, self.bits
        place, step = found
        for _ in range(PLACES):
            place %= size
            if not bits[place >> 3] & (1 << (place & 7)):
                return False
            place += step
        return True


def spot(word: str, key: bytes) -> Spot:
    """Where a word's bits are, before the size of a sieve is known."""
    if not key:
        plain = hash(word)
        return plain & 0xFFFFFFFF, (plain >> 32) & 0xFFFFFFFF | 1
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16, key=key).digest()
    return int.from_bytes(digest[:8]), int.from_bytes(digest[8:]) | 1
