"""Cells to values: text, ids, amounts, quantities, times, currencies.

How a cell is to be read is decided for its whole column, never for the cell alone: `1.672` is 1672 in a file whose
prices read `0,85`, and `03/12/2009` is December where another row says `25/11/2009`. What stays ambiguous is refused
with a sentence, not guessed. Everything here is pure; the readers of `daifa.connectors.manual` call it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from .problems import N_, CellRefused

MAX_QUANTITY = 1_000_000
MAX_AMOUNT = Decimal(10) ** 12
MAX_SHOWN = 60  # characters of a cell quoted in a sentence
MAX_VALUE = 100  # characters of a cell that may still be a number, a time or a currency

# ---------------------------------------------------------------------------------------------------------- text

_INVISIBLE = dict.fromkeys([*range(0x200B, 0x200D), 0x200E, 0x200F, 0x2060, 0xFEFF, 0x00AD])
_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_LINE_END = re.compile(r"\r\n?|\n")


def clean_text(text: str, *, lines: bool = False) -> str:
    """Text without tabs, control characters, no-break and zero-width spaces at its ends or inside.

    Inner spaces keep their number; full-width punctuation stays (it is correct Chinese). With `lines` line ends stay.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    text = text.translate(_INVISIBLE)
    if lines and ("\n" in text or "\r" in text):
        return "\n".join(_SPACES.sub(" ", part).strip() for part in _LINE_END.split(text)).strip()
    return _SPACES.sub(" ", text).strip()


def shown(text: str) -> str:
    """A cell as quoted in a sentence: cleaned and cut."""
    text = clean_text(text[: MAX_SHOWN * 4])
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


_EXCEL_TEXT = re.compile(r'^="(.*)"$', re.DOTALL)
_SCIENTIFIC = re.compile(r"^[+-]?\d(?:[.,]\d+)?[eE]\+\d{1,3}$")
_DECIMAL_ID = re.compile(r"^(\d+)\.0+$")


def read_id(text: str) -> tuple[str, str]:
    """An id as text and what was odd about it: `""` or `decimal_id` (`489434.0`, the `.0` is dropped).

    Leading zeros stay. Protecting tabs, apostrophes and `="…"` are taken off, full-width letters become plain ones.
    Raises `CellRefused` `scientific_notation` for `4.89725E+17`: the digits are gone and must not be invented.
    """
    if not (text.isascii() and text.isalnum()):
        text = clean_text(text)
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        if wrapped := _EXCEL_TEXT.match(text):
            text = wrapped[1].strip()
        text = text.lstrip("'").strip()
        if "+" in text and _SCIENTIFIC.match(text):
            raise CellRefused(
                "scientific_notation",
                N_(
                    "Column “%(column)s”: “%(value)s” is a number that a spreadsheet shortened; the digits are lost. "
                    "Export the file again and keep this column as text."
                ),
                {"value": shown(text)},
            )
        if text.endswith("0") and (whole := _DECIMAL_ID.match(text)):
            return whole[1], "decimal_id"
    return text, ""


def clean_id(text: str) -> str:
    """`read_id` for columns where an oddity is an error: also refuses `489434.0` (code `decimal_id`)."""
    value, odd = read_id(text)
    if odd:
        raise CellRefused(
            "decimal_id",
            N_(
                "Column “%(column)s”: “%(value)s” was turned into a number by a spreadsheet. Export the file again and keep this column as text."
            ),
            {"value": shown(text)},
        )
    return value


# -------------------------------------------------------------------------------------------------------- numbers

_ISO_CODES = (
    "AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNH CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KES KRW KWD "
    "KZT LKR MAD MOP MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD TZS UAH USD UYU VND ZAR"
)
ISO_CURRENCIES = frozenset(_ISO_CODES.split())
_SYMBOLS: dict[str, tuple[str, ...]] = {
    "£": ("GBP",),
    "₤": ("GBP",),
    "€": ("EUR",),
    "₩": ("KRW",),
    "₹": ("INR",),
    "₽": ("RUB",),
    "₺": ("TRY",),
    "฿": ("THB",),
    "₫": ("VND",),
    "₪": ("ILS",),
    "₴": ("UAH",),
    "zł": ("PLN",),
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN"),
    "¥": ("CNY", "JPY"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "fr": ("CHF",),
    "sfr": ("CHF",),
    "us$": ("USD",),
    "usd$": ("USD",),
    "hk$": ("HKD",),
    "nt$": ("TWD",),
    "a$": ("AUD",),
    "au$": ("AUD",),
    "c$": ("CAD",),
    "ca$": ("CAD",),
    "s$": ("SGD",),
    "nz$": ("NZD",),
    "r$": ("BRL",),
    "mx$": ("MXN",),
    "cn¥": ("CNY",),
    "jp¥": ("JPY",),
    "rmb": ("CNY",),
    "rmb¥": ("CNY",),
    "元": ("CNY",),
    "人民币": ("CNY",),
    "圆": ("CNY", "JPY"),
    "日元": ("JPY",),
    "円": ("JPY",),
    "英镑": ("GBP",),
    "欧元": ("EUR",),
    "美元": ("USD",),
    "美金": ("USD",),
    "港币": ("HKD",),
    "港元": ("HKD",),
    "韩元": ("KRW",),
    "澳元": ("AUD",),
    "加元": ("CAD",),
    "新台币": ("TWD",),
    "卢布": ("RUB",),
    "瑞士法郎": ("CHF",),
    "pound": ("GBP",),
    "pounds": ("GBP",),
    "euro": ("EUR",),
    "euros": ("EUR",),
    "yuan": ("CNY",),
    "yen": ("JPY",),
}
_NOT_NUMBER = r"[^\d.,()+\-']"
_EDGE_WORDS = re.compile(rf"^(?P<before>(?:{_NOT_NUMBER})+)|(?P<after>(?:{_NOT_NUMBER})+\.?)$")
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?")
_NUMBER = re.compile(r"[\d.,']*\d[\d.,']*")
_EXPONENT = re.compile(r"^[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+$")
_MINUS = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "’": "'", "‘": "'", "`": "'", "，": ",", "．": ".", "、": ","}
)


def recognise_currency(text: str, hint: str = "") -> str:
    """ISO code said by a cell or a heading (`£ 0,85`, `CN¥12`, `UVP (£)`, `金额(元)`, `GBP`); `""` = not said.

    A sign that several currencies share (`$`, `¥`, `kr`) counts as `hint` where that is among them, else as not said.
    """
    return _currency(text[:MAX_VALUE], hint)


@lru_cache(maxsize=65_536)
def _currency(text: str, hint: str) -> str:
    text = unicodedata.normalize("NFKC", clean_text(text))
    if text.upper() in ISO_CURRENCIES:
        return "CNY" if text.upper() == "CNH" else text.upper()
    for word in re.findall(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", text):
        if word in ISO_CURRENCIES:
            return "CNY" if word == "CNH" else word
    lower = text.lower()
    for sign in sorted(_SYMBOLS, key=len, reverse=True):
        at = lower.find(sign)
        if at < 0:
            continue
        if sign.isascii() and sign.isalpha():  # "kr" must not be found inside "Ukraine"
            if not re.search(rf"(?<![^\W\d_]){sign}(?![^\W\d_])", lower):
                continue
        found = _SYMBOLS[sign]
        if len(found) == 1:
            return found[0]
        return hint if hint in found else ""
    return ""


def _bare(text: str) -> tuple[str, bool]:
    """The digits and marks of an amount, and whether it is negative. `""` where it is no number."""
    if len(text) > MAX_VALUE:
        return "", False
    text = unicodedata.normalize("NFKC", clean_text(text)).translate(_MINUS)
    text = re.sub(r"\s+", "", text)
    negative = False
    if text.startswith("(") and text.endswith(")"):
        negative, text = True, text[1:-1]
    for _ in range(4):  # sign and currency may stand on either side, in either order
        before = text
        if text[:1] in ("-", "+"):
            negative, text = negative or text[0] == "-", text[1:]
        if text[-1:] in ("-", "+") and text[-1:]:
            negative, text = negative or text[-1] == "-", text[:-1]
        if edge := _EDGE_WORDS.match(text):
            if not _is_money_word(edge[0]):
                return "", False
            text = text[edge.end() :]
        elif (edge := _EDGE_WORDS.search(text)) and edge["after"]:
            if not _is_money_word(edge[0]):
                return "", False
            text = text[: edge.start()]
        if text == before:
            break
    return (text, negative) if _NUMBER.fullmatch(text) else ("", False)


@lru_cache(maxsize=4096)
def _is_money_word(word: str) -> bool:
    word = word.lower().strip(".:：")
    return (
        word in _SYMBOLS
        or word.upper() in ISO_CURRENCIES
        or (word[-1:] in _SYMBOLS and word[:-1].upper() in ISO_CURRENCIES)
    )


def _evidence(number: str) -> str | None:
    """Which mark this number by itself proves to be the decimal one: `.`, `,` or None."""
    dot, comma = number.rfind("."), number.rfind(",")
    if dot >= 0 and comma >= 0:
        return "." if dot > comma else ","
    mark = "." if dot >= 0 else "," if comma >= 0 else ""
    if not mark:
        return None
    other = "," if mark == "." else "."
    if number.count(mark) > 1:
        return other
    whole, _, rest = number.partition(mark)
    whole = whole.replace("'", "")
    if len(rest) != 3 or len(whole) > 3 or whole in ("", "0") or whole.startswith("0"):
        return mark
    return None


def infer_decimal_mark(values: Iterable[str]) -> str | None:
    """The decimal mark of a column: `.` or `,`; `mixed` where cells contradict each other; None without evidence."""
    seen = set()
    for value in values:
        if value and not value.isdigit():
            number, _ = _bare(value)
            if number and (mark := _evidence(number)):
                seen.add(mark)
                if len(seen) == 2:
                    return "mixed"
    return seen.pop() if seen else None


@lru_cache(maxsize=65_536)
def parse_decimal(text: str, mark: str | None = None) -> Decimal:
    """An amount: `1,234.56`, `1.234,56`, `￡216.00`, `£ 0,85`, `CN¥12`, `１２．５`, `(3.00)`, `3.00-`.

    `mark` is the column's decimal mark from `infer_decimal_mark`: `.`, `,`, `mixed` (each cell must prove itself) or
    None (a point is decimal unless the cell proves otherwise). Raises `CellRefused` (`empty`, `not_a_number`,
    `scientific_notation`, `ambiguous_number`, `amount_too_large`).
    """
    if mark in (None, ".") and _PLAIN.fullmatch(text) and text.isascii():
        value = Decimal(text)
    else:
        value = _decimal(text, mark)
    if abs(value) >= MAX_AMOUNT:
        raise CellRefused(
            "amount_too_large",
            N_("Column “%(column)s”: the amount “%(value)s” is too large to be true."),
            {"value": shown(text)},
        )
    return value


def _decimal(text: str, mark: str | None) -> Decimal:
    if not clean_text(text):
        raise CellRefused("empty", N_("Column “%(column)s”: the cell is empty; an amount is needed."))
    number, negative = _bare(text)
    if not number:
        if _EXPONENT.match(clean_text(text)):
            raise CellRefused(
                "scientific_notation",
                N_(
                    "Column “%(column)s”: “%(value)s” is a number that a spreadsheet shortened; write it in full."
                ),
                {"value": shown(text)},
            )
        raise CellRefused(
            "not_a_number", N_("Column “%(column)s”: “%(value)s” is not a number."), {"value": shown(text)}
        )
    proof = _evidence(number)
    if mark == "mixed":
        if proof is None and ("." in number or "," in number):
            raise CellRefused(
                "ambiguous_number",
                N_(
                    "Column “%(column)s”: “%(value)s” can be read in two ways, and this column uses both decimal points and decimal commas. "
                    "Write it without a thousands mark."
                ),
                {"value": shown(text)},
            )
        mark = proof or "."
    elif mark is None:
        mark = proof or "."
    thousands = "," if mark == "." else "."
    number = number.replace("'", "")
    whole, _, rest = number.partition(mark)
    groups = whole.split(thousands)
    well_grouped = len(groups) == 1 or (1 <= len(groups[0]) <= 3 and all(len(g) == 3 for g in groups[1:]))
    if thousands in rest or mark in rest or not well_grouped:
        raise CellRefused(
            "not_a_number", N_("Column “%(column)s”: “%(value)s” is not a number."), {"value": shown(text)}
        )
    try:
        value = (
            Decimal(f"{''.join(groups) or '0'}.{rest or '0'}") if rest else Decimal("".join(groups) or "0")
        )
    except InvalidOperation as error:
        raise CellRefused(
            "not_a_number", N_("Column “%(column)s”: “%(value)s” is not a number."), {"value": shown(text)}
        ) from error
    return -value if negative else value


@lru_cache(maxsize=65_536)
def parse_quantity(text: str, mark: str | None = None, signed: bool = False) -> int:
    """A whole number of pieces, 1 to 1,000,000; with `signed` also 0 and negative ones.

    Raises `CellRefused` (`empty`, `not_a_number`, `scientific_notation`, `quantity_not_whole`,
    `quantity_not_positive`, `quantity_too_large`).
    """
    if text.isascii() and text.isdigit() and len(text) < 16:
        value = int(text)
    else:
        stripped = clean_text(text) if len(text) <= MAX_VALUE else text
        stripped = (
            stripped
            if len(stripped) > MAX_VALUE
            else re.sub(
                r"(?<=\d)\s*(?:pcs?\.?|pieces?|件|个|只|套|stk\.?|stück)$", "", stripped, flags=re.IGNORECASE
            )
        )
        exact = parse_decimal(stripped, mark)
        if exact != exact.to_integral_value():
            raise CellRefused(
                "quantity_not_whole",
                N_("Column “%(column)s”: the quantity “%(value)s” is not a whole number."),
                {"value": shown(text)},
            )
        value = int(exact)
    if abs(value) > MAX_QUANTITY:
        raise CellRefused(
            "quantity_too_large",
            N_("Column “%(column)s”: the quantity “%(value)s” is larger than %(limit)s; check the cell."),
            {"value": shown(text), "limit": f"{MAX_QUANTITY:,}"},
        )
    if value <= 0 and not signed:
        raise CellRefused(
            "quantity_not_positive",
            N_("Column “%(column)s”: the quantity is “%(value)s”; it must be 1 or more."),
            {"value": shown(text)},
        )
    return value


# ---------------------------------------------------------------------------------------------------------- times

_TIME = (
    r"(?:[ T]*(?P<noon>上午|下午|晚上|凌晨|中午)?\s*(?P<h>\d{1,2})[:时](?P<mi>\d{1,2})(?:[:分](?P<s>\d{1,2})(?:[.,]\d+)?)?[秒分]?"
    r"\s*(?P<ampm>[AaPp]\.?[Mm]\.?)?)?"
)
_ZONE = r"(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
_YMD = re.compile(
    rf"^(?P<y>\d{{4}})\s*[-/.年]\s*(?P<m>\d{{1,2}})\s*[-/.月]\s*(?P<d>\d{{1,2}})\s*日?{_TIME}{_ZONE}$"
)
_COMPACT = re.compile(
    rf"^(?P<y>(?:19|20)\d{{2}})(?P<m>\d{{2}})(?P<d>\d{{2}})(?:[T ]?(?P<h>\d{{2}})(?P<mi>\d{{2}})(?P<s>\d{{2}})?)?{_ZONE}$"
)
_XXY = re.compile(
    rf"^(?P<a>\d{{1,2}})\s*(?P<sep>[-/.])\s*(?P<b>\d{{1,2}})\s*(?P=sep)\s*(?P<y>\d{{4}}),?{_TIME}{_ZONE}$"
)
_MONTHS = {
    name: i
    for i, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}
_DMONY = re.compile(
    rf"^(?P<d>\d{{1,2}})[\s.-]*(?P<mon>[A-Za-z]{{3,9}})[\s.,-]*(?P<y>\d{{4}}),?{_TIME}{_ZONE}$"
)
_MONDY = re.compile(
    rf"^(?P<mon>[A-Za-z]{{3,9}})[\s.]*(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[\s,]+(?P<y>\d{{4}}),?{_TIME}{_ZONE}$"
)
_SERIAL = re.compile(r"^\d{5}(?:\.\d+)?$")
_SERIAL_RANGE = (20_000, 80_000)  # 1954 to 2119
_EXCEL_EPOCH = datetime(1899, 12, 30)
_YEARS = (1990, 2100)


def infer_day_first(values: Iterable[str]) -> bool | str | None:
    """Whether a column of `03/12/2009` dates puts the day first: True, False, None (no evidence) or `mixed`."""
    seen = set()
    for value in values:
        if match := _XXY.match(_plain_date(value)):
            if match["sep"] == ".":
                continue  # points are always day first
            a, b = int(match["a"]), int(match["b"])
            if a > 12 >= b:
                seen.add(True)
            elif b > 12 >= a:
                seen.add(False)
    return "mixed" if len(seen) == 2 else seen.pop() if seen else None


@lru_cache(maxsize=8192)
def parse_datetime(text: str, tz: tzinfo, day_first: bool | str | None = None) -> datetime:
    """An aware datetime. Naive ones are taken to be in `tz`; dates without a time are midnight there.

    `day_first` is the column's answer from `infer_day_first`, or the merchant's choice. Where it is None or `mixed`
    a date such as 03/12/2009 is refused (`ambiguous_date`). Other codes: `empty`, `not_a_date`, `date_out_of_range`.
    """
    if len(text) == 19 and text[4] == "-" and text[10] in " T" and text.isascii():
        try:
            return _in_years(datetime.fromisoformat(text).replace(tzinfo=tz), text)
        except ValueError as error:
            if isinstance(error, CellRefused):
                raise
    plain = _plain_date(text)
    if not plain:
        raise CellRefused("empty", N_("Column “%(column)s”: the cell is empty; a date is needed."))
    if _SERIAL.match(plain) and _SERIAL_RANGE[0] <= float(plain) < _SERIAL_RANGE[1]:
        moment = _EXCEL_EPOCH + timedelta(seconds=round(float(plain) * 86_400))
        return _in_years(moment.replace(tzinfo=tz), text)
    match = _YMD.match(plain) or _COMPACT.match(plain)
    month = day = 0
    if match:
        month, day = int(match["m"]), int(match["d"])
    elif match := _XXY.match(plain):
        a, b = int(match["a"]), int(match["b"])
        if match["sep"] == "." or a > 12 or a == b:
            first = True
        elif b > 12:
            first = False
        elif isinstance(day_first, bool):
            first = day_first
        else:
            raise CellRefused(
                "ambiguous_date",
                N_(
                    "Column “%(column)s”: “%(value)s” can be read in two ways and nothing in this column tells which comes first, day or month. "
                    "Choose the date style, or write the year first (2009-12-03)."
                ),
                {"value": shown(text)},
            )
        day, month = (a, b) if first else (b, a)
    elif match := (_DMONY.match(plain) or _MONDY.match(plain)):
        day, month = int(match["d"]), _MONTHS.get(match["mon"][:3].lower(), 0)
    if not match:
        raise CellRefused(
            "not_a_date",
            N_("Column “%(column)s”: “%(value)s” is not a date. Write it as 2009-12-03 19:23."),
            {"value": shown(text)},
        )
    try:
        moment = datetime(
            int(match["y"]), month, day, *_clock(match.groupdict()), tzinfo=_zone(match["zone"], tz)
        )
    except ValueError as error:
        raise CellRefused(
            "not_a_date",
            N_("Column “%(column)s”: “%(value)s” is not a date. Write it as 2009-12-03 19:23."),
            {"value": shown(text)},
        ) from error
    return _in_years(moment, text)


def _plain_date(text: str) -> str:
    text = clean_text(text)[:MAX_VALUE]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return text.lstrip("'")


def _clock(parts: dict[str, str | None]) -> tuple[int, int, int]:
    hour, minute, second = int(parts.get("h") or 0), int(parts.get("mi") or 0), int(parts.get("s") or 0)
    half = (parts.get("ampm") or "").lower()[:1]
    noon = parts.get("noon") or ""
    if half == "p" or noon in ("下午", "晚上"):
        hour = hour + 12 if hour < 12 else hour
    elif (half == "a" or noon == "凌晨") and hour == 12:
        hour = 0
    return hour, minute, second


def _zone(text: str | None, tz: tzinfo) -> tzinfo:
    if not text:
        return tz
    if text in ("Z", "UTC", "GMT"):
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return UTC if minutes == 0 else timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _in_years(moment: datetime, text: str) -> datetime:
    if not _YEARS[0] <= moment.year < _YEARS[1]:
        raise CellRefused(
            "date_out_of_range",
            N_("Column “%(column)s”: the date “%(value)s” lies outside the years %(first)s to %(last)s."),
            {"value": shown(text), "first": _YEARS[0], "last": _YEARS[1] - 1},
        )
    return moment
