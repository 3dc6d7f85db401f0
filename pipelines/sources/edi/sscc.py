"""Serial shipping container codes: 18 digits, the last one a check digit."""

from __future__ import annotations


def normalise_sscc(text: str) -> str:
    """Return the 18 digits of an SSCC as MAN gives it, with (GM, 20 digits) or without (AA) its identifier 00.

    Returns:
        The code, or an empty text where it is none.

    >>> normalise_sscc("00007121610006156802")
    '007121610006156802'
    """
    digits = "".join(character for character in text if character in "0123456789")
    if len(digits) == 20 and digits.startswith("00"):
        digits = digits[2:]
    return digits if len(digits) == 18 else ""


def has_valid_check_digit(sscc: str) -> bool:
    """Say whether the last digit fits the 17 before it (GS1 modulo 10).

    >>> has_valid_check_digit("007121610006156802")
    True
    """
    return sscc.isdecimal() and int(sscc[-1]) == check_digit(sscc[:-1])


def check_digit(digits: str) -> int:
    """Return the GS1 check digit of the digits before it.

    >>> check_digit("00712161000615680")
    2
    """
    total = sum(int(digit) * (3 if index % 2 == 0 else 1) for index, digit in enumerate(reversed(digits)))
    return -total % 10
