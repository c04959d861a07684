"""Where a place lies, from what a carrier or an address says: country and, in some countries, the state or province.

A text can be read in several ways ("CA" is Canada, and California); every reading counts, so that what is only unclear
is never called wrong. What is not recognised has no reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from django.utils.translation import get_language

CHINA = {
    "上海": "shanghai", "江苏": "jiangsu", "浙江": "zhejiang", "安徽": "anhui", "北京": "beijing", "天津": "tianjin", "河北": "hebei",
    "新疆": "xinjiang", "西藏": "tibet,xizang", "内蒙": "inner mongolia,neimenggu,nei mongol", "青海": "qinghai", "宁夏": "ningxia",
    "甘肃": "gansu", "广东": "guangdong", "广西": "guangxi", "福建": "fujian", "江西": "jiangxi", "湖南": "hunan", "湖北": "hubei",
    "河南": "henan", "山东": "shandong", "山西": "shanxi", "陕西": "shaanxi", "四川": "sichuan", "重庆": "chongqing", "云南": "yunnan",
    "贵州": "guizhou", "海南": "hainan", "辽宁": "liaoning", "吉林": "jilin", "黑龙江": "heilongjiang",
}  # fmt: skip
"""Provinces of the mainland, short: Chinese → spellings in Latin letters."""
STATES: dict[str, dict[str, str]] = {
    "US": {
        "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado", "CT": "Connecticut",
        "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho",
        "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine",
        "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri",
        "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico",
        "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon",
        "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas",
        "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin",
        "WY": "Wyoming", "PR": "Puerto Rico", "GU": "Guam", "VI": "U.S. Virgin Islands", "AA": "Armed Forces Americas",
        "AE": "Armed Forces Europe", "AP": "Armed Forces Pacific",
    },
    "CA": {
        "AB": "Alberta", "BC": "British Columbia", "MB": "Manitoba", "NB": "New Brunswick", "NL": "Newfoundland and Labrador",
        "NS": "Nova Scotia", "NT": "Northwest Territories", "NU": "Nunavut", "ON": "Ontario", "PE": "Prince Edward Island",
        "QC": "Quebec", "SK": "Saskatchewan", "YT": "Yukon",
    },
    "AU": {
        "ACT": "Australian Capital Territory", "NSW": "New South Wales", "NT": "Northern Territory", "QLD": "Queensland",
        "SA": "South Australia", "TAS": "Tasmania", "VIC": "Victoria", "WA": "Western Australia",
    },
}  # fmt: skip
_NAMES = {
    "uk": "GB", "u.k.": "GB", "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB",
    "usa": "US", "u.s.a.": "US", "united states of america": "US", "america": "US", "deutschland": "DE", "españa": "ES",
    "italia": "IT", "nederland": "NL", "the netherlands": "NL", "holland": "NL", "österreich": "AT", "schweiz": "CH",
    "suisse": "CH", "belgique": "BE", "polska": "PL", "sverige": "SE", "danmark": "DK", "norge": "NO", "suomi": "FI",
    "russian federation": "RU", "korea": "KR", "republic of korea": "KR", "uae": "AE", "p.r. china": "CN", "pr china": "CN",
    "mainland china": "CN", "中国大陆": "CN", "香港": "HK", "澳门": "MO", "台湾": "TW", "hong kong": "HK", "macau": "MO", "czechia": "CZ",
    "gbr": "GB", "deu": "DE", "fra": "FR", "esp": "ES", "ita": "IT", "nld": "NL", "chn": "CN", "aus": "AU", "can": "CA", "jpn": "JP",
}  # fmt: skip
OWN_CODES = frozenset({"IT", "BR", "CH", "IN", "MX", "AR", "ES", "NL", "ZA", "MY", "CL", "CO", "ID", "PH", "VN", "TH", "RO", "HR", "BG", "IE", "PT"})
"""Countries with short codes for regions that are not listed here: there two letters may mean anything."""
TOWNS_LIKE_COUNTRIES = frozenset({"US", "CA", "AU", "GB", "NZ"})
"""Where towns are called Lebanon, Peru or Denmark: a bare name is no country there."""

_ZIPS = (
    "005 NY,006-007 PR,008 VI,009 PR,010-027 MA,028-029 RI,030-038 NH,039-049 ME,050-054 VT,055 MA,056-059 VT,060-069 CT,070-089 NJ,"
    "090-098 AE,100-149 NY,150-196 PA,197-199 DE,200 DC,201 VA,202-205 DC,206-219 MD,220-246 VA,247-268 WV,270-289 NC,290-299 SC,"
    "300-319 GA,320-339 FL,340 AA,341-349 FL,350-369 AL,370-385 TN,386-397 MS,398-399 GA,400-427 KY,430-459 OH,460-479 IN,"
    "480-499 MI,500-528 IA,530-549 WI,550-567 MN,569 DC,570-577 SD,580-588 ND,590-599 MT,600-629 IL,630-658 MO,660-679 KS,"
    "680-693 NE,700-714 LA,716-729 AR,730-732 OK,733 TX,734-749 OK,750-799 TX,800-816 CO,820-831 WY,832-838 ID,840-847 UT,"
    "850-865 AZ,870-884 NM,885 TX,889-898 NV,900-961 CA,962-966 AP,967-968 HI,969 GU,970-979 OR,980-994 WA,995-999 AK"
)
_FIRST_LETTERS = {
    "A": "NL", "B": "NS", "C": "PE", "E": "NB", "G": "QC", "H": "QC", "J": "QC", "K": "ON", "L": "ON", "M": "ON", "N": "ON",
    "P": "ON", "R": "MB", "S": "SK", "T": "AB", "V": "BC", "Y": "YT",
}  # fmt: skip  (X is shared by two territories)


class Reading(NamedTuple):
    """What a text may mean: a country (two letters) and its state, "" where only the country is said."""

    country: str
    state: str = ""


def province(text: str) -> str:
    """The Chinese province a place begins with, in Chinese and short; "" = none is recognised."""
    text = text.strip()
    for chinese, english in CHINA.items():
        if text.startswith(chinese) or any(text.lower().startswith(one) for one in english.split(",")):
            return chinese
    return ""


def state_of(country: str, region: str, postcode: str = "") -> str:
    """The state of an address: its code (in China the short name), from the region or else from the postcode; "" = unknown."""
    if country == "CN":
        return province(region)
    known = STATES.get(country)
    if known is None:
        return ""
    return _state_named(country, region) or _state_by_postcode(country, postcode)


def readings(place: str, *, wanted: str = "") -> list[Reading]:
    """Every way in which what a carrier says of a place can be read; none where it is not clear.

    `wanted` (a country) is where it is expected: what may be a town or a district there is no other country.
    """
    text = " ".join(place.replace("，", ",").split()).strip(" ,.")
    if not text or not any(one.isalpha() for one in text):
        return []
    if found := province(text):
        return [Reading("CN", found)]
    parts = [one.strip(" .") for one in text.split(",") if one.strip(" .")]
    last, before = parts[-1], parts[:-1]
    code = re.search(r"(?:^|[\s-])([A-Z]{2,3})(?:\s+([0-9]{4,5}(?:-[0-9]{4})?|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]))?$", last)
    found_all: list[Reading] = []
    country = _country_named(last, alone=not before, wanted=wanted)
    if country:
        state = _state_named(country, before[-1]) or _state_in(country, before[-1]) if before else ""
        found_all.append(Reading(country, state))
    if code is not None and (before or last == code[0].strip() or code[2]):
        found_all += [Reading(one, code[1]) for one in STATES if code[1] in STATES[one]]
    elif country != "" or before:
        found_all += [Reading(one, state) for one in STATES if (state := _state_named(one, last))]
    if not found_all and not before:
        found_all += [Reading(one, state) for one in STATES if (state := _state_named(one, last)) and len(last) > 3]
        # "New York" and "Washington" are towns as well: nothing to go by.
        found_all = [one for one in found_all if STATES[one.country][one.state] not in ("New York", "Washington", "Victoria")]
    return list(dict.fromkeys(found_all))


def lies_elsewhere(place: str, *, country: str, region: str = "", postcode: str = "") -> tuple[Reading, str] | None:
    """The reading of `place` and the state of the address, if no reading of the place fits the address; None = it may fit."""
    country = country.upper()
    state = state_of(country, region, postcode)
    if not country:
        country, state = ("CN", province(region)) if province(region) else ("", "")
    found = readings(place, wanted=country)
    if not country or not found or any(_fits(one, country, state) for one in found):
        return None
    return next((one for one in found if one.country == country), found[0]), state


def lie_apart(one: str, other: str, *, wanted: str = "") -> tuple[Reading, Reading] | None:
    """A reading of each of two places, if no reading of the one fits any of the other; None = they may be the same.

    `wanted`: the country where they are expected.
    """
    first, second = readings(one, wanted=wanted), readings(other, wanted=wanted)
    if not first or not second or any(_fits(a, b.country, b.state) for a in first for b in second):
        return None
    return first[0], second[0]


def _fits(one: Reading, country: str, state: str) -> bool:
    return one.country == country and (not one.state or not state or one.state == state)


def _country_named(text: str, *, alone: bool, wanted: str) -> str:
    plain = text.casefold()
    if len(text) == 2 and text.isupper() and text in _codes():
        if wanted in OWN_CODES and text != wanted:
            return ""
        return text
    code = _names().get(plain, "")
    if alone and wanted in TOWNS_LIKE_COUNTRIES and code != wanted and text.isascii():
        return ""
    return code


def _state_named(country: str, text: str) -> str:
    plain = re.sub(r"^(state of |us-|ca-|au-)", "", text.strip().casefold())
    for code, name in STATES.get(country, {}).items():
        if plain in (code.casefold(), name.casefold()):
            return code
    return "QC" if country == "CA" and plain == "québec" else ""


def _state_in(country: str, text: str) -> str:
    """The code of a state at the end of "CITY ST" or "CITY ST 12345"."""
    found = re.search(r"\s([A-Z]{2,3})(?:\s+[0-9A-Z -]+)?$", text)
    return found[1] if found and found[1] in STATES.get(country, {}) else ""


def _state_by_postcode(country: str, postcode: str) -> str:
    plain = postcode.replace(" ", "").upper()
    if country == "US" and re.fullmatch(r"[0-9]{5}(-?[0-9]{4})?", plain):
        return "" if plain.startswith("06390") else _zips().get(plain[:3], "")
    if country == "CA" and re.match(r"[A-Z][0-9][A-Z]", plain):
        return _FIRST_LETTERS.get(plain[0], "")
    if country == "AU" and re.fullmatch(r"[0-9]{4}", plain):
        number = int(plain)
        if 2600 <= number <= 2620 or 2900 <= number <= 2920:
            return "" if number in (2619, 2620) else "ACT"
        return {"0": "NT", "1": "NSW", "2": "NSW", "3": "VIC", "4": "QLD", "5": "SA", "6": "WA", "7": "TAS", "8": "VIC", "9": "QLD"}[plain[0]]
    return ""


@cache
def _zips() -> dict[str, str]:
    found = {}
    for entry in _ZIPS.split(","):
        span, state = entry.split()
        first, _dash, last = span.partition("-")
        for number in range(int(first), int(last or first) + 1):
            found[f"{number:03d}"] = state
    return found


@cache
def _codes() -> frozenset[str]:
    return frozenset(_names().values())


@cache
def _names() -> dict[str, str]:
    """Names of countries in English and Chinese, and how carriers write them → two letters."""
    from babel import Locale

    found = {}
    for language in ("en", "zh"):
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"):
                found[name.casefold()] = code
    return {**found, **_NAMES}


def country_named(text: str) -> str:
    """The country that a person names: its two letters, or its name in English or Chinese; "" = none is known."""
    text = text.strip()
    return text.upper() if text.upper() in _codes() else _names().get(text.casefold(), "")


def region_named(text: str) -> Reading | None:
    """A region that a person names: a Chinese province ("浙江", Zhejiang) or "US-CA", "CA-ON", "AU-NSW"; None = none is known."""
    if found := province(text):
        return Reading("CN", found)
    country, _dash, state = text.strip().upper().partition("-")
    return Reading(country, state) if state and state in STATES.get(country, {}) else None


def country(code: str) -> str:
    """A country by its name in the reader's language; what is no code of two letters is given as it is."""
    return _territories("zh" if (get_language() or "").startswith("zh") else "en").get(code.upper(), code)


@cache
def _territories(language: str) -> dict[str, str]:
    from babel import Locale

    return dict(Locale.parse({"zh": "zh_Hans"}.get(language, language)).territories)


def told(text: str) -> str:
    """A place as `names` keeps it, in the reader's language: "DE" → Germany, "US-CA" → California, United States."""
    chinese = (get_language() or "").startswith("zh")
    short, town = text[:3] if text[:3] in CHINA else text[:2], text.partition("/")[2]
    if short in CHINA and text in (short, f"{short}/{town}"):
        return text if chinese else ", ".join(filter(None, (town, CHINA[short].partition(",")[0].title(), country("CN"))))
    code, _dash, state = text.partition("-")
    if state and state in STATES.get(code, {}):
        return f"{country(code)} {STATES[code][state]}" if chinese else f"{STATES[code][state]}, {country(code)}"
    return country(text) if len(text) == 2 else text


def scanned(place: str) -> str:
    """A place as a carrier said it; the bare code of a country by its name, where it can mean nothing else (CA can)."""
    if len(place) != 2 or not place.isupper() or len(readings(place)) != 1:
        return place
    return country(place)


def names(found: Iterable[Reading]) -> str:
    """Readings as they are kept: "US-CA", "浙江", "DE"; `told` says one of them."""
    return ", ".join(one.state if one.state and one.country == "CN" else f"{one.country}-{one.state}".rstrip("-") for one in found)
