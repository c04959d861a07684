"""Whose number is this? By the supplier's word first; else by check digits and shapes, with a confidence."""

from __future__ import annotations

import re
from functools import lru_cache

# Shapes of Chinese and cross-border carriers that carry no public check digit: the confidence says so.
_SHAPES = (
    (re.compile(r"SF\d{12,13}"), "SF Express", 90),
    (re.compile(r"YT\d{13}"), "YTO Express", 80),
    (re.compile(r"YT\d{16}"), "YunExpress", 80),
    (re.compile(r"JD[A-Z0-9]{11,14}"), "JD Logistics", 80),
    (re.compile(r"4PX\d{12,15}[A-Z]{0,2}"), "4PX", 90),
    (re.compile(r"(?:LP|CNG|CAINIAO)\d{14,18}"), "Cainiao", 80),
    (re.compile(r"7[5-8]\d{12}"), "ZTO Express", 50),
    (re.compile(r"77\d{13}"), "STO Express", 50),
    (re.compile(r"1Z[A-Z0-9]{16}"), "UPS", 70),
    (re.compile(r"[A-Z]{2}\d{9}CN"), "China Post", 70),
    (re.compile(r"[A-Z]{2}\d{9}GB"), "Royal Mail", 70),
)


@lru_cache(maxsize=4096)
def guess_carrier(number: str) -> tuple[str, int]:
    """(carrier, confidence 0–100); ("", 0) when nothing fits. Check digits beat shapes."""
    text = number.replace(" ", "").upper()
    try:
        from tracking_numbers import get_tracking_number

        found = get_tracking_number(text)
    except Exception:  # the library raises on odd input; a number it cannot read is no finding
        found = None
    if found is not None and found.valid:
        return found.courier.name, 95
    for shape, carrier, confidence in _SHAPES:
        if shape.fullmatch(text):
            return carrier, confidence
    return "", 0
