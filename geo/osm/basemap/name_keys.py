"""Names as they are compared: without case, accents and punctuation, in Latin or in Cyrillic letters."""

from __future__ import annotations

import unicodedata

# letters that no decomposition takes apart
_PLAIN = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_LATIN = str.maketrans(
    dict(
        zip(
            "абвгдежзиклмнопрстуфхцчшщъыьэюя",
            (
                *("a", "b", "v", "g", "d", "e", "zh", "z", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t"),
                *("u", "f", "kh", "ts", "ch", "sh", "shch", "", "y", "", "e", "yu", "ya"),
            ),
            strict=True,
        )
    )
)


def name_key(text: str) -> str:
    """Words of letters and digits, one space between them: "Østre Anlæg" becomes "ostre anlaeg".

    Names that look alike (Unicode's compatibility equivalence) have one key, and a key is its own.
    """
    # taken apart before it is folded: 𝓐 has no small letter, the A in it has
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_PLAIN)
    letters = (letter for letter in plain if not unicodedata.combining(letter))
    return " ".join("".join(letter if letter.isalnum() else " " for letter in letters).split())


def latin(key: str) -> str:
    """A key's Cyrillic letters in Latin ones."""
    return key.translate(_LATIN)


def trigrams(key: str) -> set[str]:
    """All runs of three letters, the ends of the name marked by a space."""
    padded = f" {key} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}
