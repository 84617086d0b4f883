"""SASLprep (RFC 4013): the normalization of user names and passwords, so that both sides use the same form."""

import stringprep
import unicodedata
from typing import Final

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


MAX_CHARACTERS: Final = 1024
"""The maximum length of the text, in characters. Python's ``normalize`` takes quadratic time for some text."""


def saslprep(text: str) -> str:
    """Normalize ``text`` with SASLprep. Code points that Unicode 3.2 does not assign are permitted (RFC 3454).

    Raises ValueError for text that the profile prohibits, and for text that is too long.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"the text has more than {MAX_CHARACTERS} characters")
    mapped = [" " if stringprep.in_table_c12(one) else one for one in text if not stringprep.in_table_b1(one)]
    result = unicodedata.normalize("NFKC", "".join(mapped))
    for one in result:
        if any(prohibits(one) for prohibits in _PROHIBITED):
            raise ValueError(f"the character U+{ord(one):04X} is not allowed")
    if any(stringprep.in_table_d1(one) for one in result):
        if any(stringprep.in_table_d2(one) for one in result):
            raise ValueError("text that runs from right to left is mixed with text that runs from left to right")
        if not (stringprep.in_table_d1(result[0]) and stringprep.in_table_d1(result[-1])):
            raise ValueError("text that runs from right to left must begin and end with such a character")
    return result
