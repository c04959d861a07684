"""Finds restricted words in texts: reads the lists, normalises, matches all words in one pass. Pure.

Width, case, spaces, invisible characters and traditional characters make no difference; where a hit stands is said in
places of the text as it was given. The worked table is docs/rules/words.md.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from daifa.domain.policy.book import Problem
from daifa.domain.policy.phrases import PHRASES
from daifa.domain.policy.rules import CONFIDENCES, Words
from daifa.lib.commas import listed

SEVERITIES = {
    "block": ("must be changed before publishing", "发布前必须改"),
    "review": ("a person must look", "需人工确认或证据"),
    "hint": ("hint only", "提示"),
}
_RANK = {"block": 3, "review": 2, "hint": 1}

CATEGORIES = {
    "absolute": ("absolute claim", "绝对化用语"),
    "authority": ("borrowed authority", "权威借用"),
    "extreme": ("exaggeration", "极端夸张"),
    "guarantee": ("guarantee of a result", "承诺保证"),
    "efficacy_promise": ("promise of effect", "功效承诺"),
    "medical_claim": ("medical claim", "医疗用语"),
    "aesthetic_medicine": ("aesthetic medicine", "医美"),
    "cosmetics": ("claim about cosmetics", "化妆品宣称"),
    "off_platform_contact": ("leads buyers off the platform", "站外导流"),
    "fake_review": ("bought reviews or orders", "虚假评价与刷单"),
    "restricted_category": ("restricted goods", "受限品类"),
    "ip_risk": ("imitation", "侵权风险"),
    "brand": ("somebody's brand", "他人品牌"),
    "own": ("our own list", "自定义词"),
}
"""What kind of trouble a word brings: code → (English, 中文)."""

LISTS = {"terms": "restricted_terms.yaml", "categories": "categories.yaml", "brands": "brands.yaml"}


NEVER_ALLOWED = ("off_platform_contact", "fake_review")
"""Words of these categories that must be changed stay so, whatever an own word says: docs/refusals.md."""


class Hit(NamedTuple):
    """A restricted word in a text: text[start:end] as given. `basis` names what it rests on (texts, rules)."""

    term: str
    category: str
    severity: str
    start: int
    end: int
    basis: tuple[str, ...]
    note: Words


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a list. Hits inside one of the (longer) `exceptions` do not count."""

    term: str
    category: str
    severity: str
    basis: tuple[str, ...]
    note: Words
    exceptions: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None  # of a turn of phrase: tried on the folded text where a cue stands
    cues: tuple[str, ...] = ()


class Basis(NamedTuple):
    """What words rest on: a text with its source and confidence."""

    words: Words
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Goods:
    """A category of goods that is forbidden (block) or asks for papers (review); `licence` = the code of the paper."""

    id: str
    words: Words
    severity: str
    licence: str
    basis: tuple[str, ...]
    note: Words
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the lists say; with problems nothing else is filled."""

    terms: tuple[Term, ...] = ()
    bases: dict[str, Basis] = field(default_factory=dict)
    goods: tuple[Goods, ...] = ()
    problems: tuple[Problem, ...] = ()
    dates: dict[str, str] = field(default_factory=dict)  # list → the version its file says it is


# --- Normalising ------------------------------------------------------------------------------------------------

_TRADITIONAL = (
    # of the characters that stand in the lists: traditional, simplified, traditional …
    "國国級级優优價价進进獨独無无極极頂顶終终個个選选發发領领導导關关專专軍军隊队馳驰標标質质檢检銷销創创與与倫伦補补際际開开舉举雙双絕绝對对貨货製制復复療疗醫医藥药處处膚肤濕湿過过溫温顏颜養养資资報报穩稳"
    "賺赚錢钱萬万時时間间學学業业漲涨徹彻決决風风險险壽寿強强癒愈煙烟彈弹瘡疮壓压鬱郁術术減减純纯產产機机屬属淚泪號号維维碼码聯联掃扫複复鏈链頁页驚惊單单評评現现圖图藍蓝嬰婴兒儿電电網网歡欢費费傳传僅仅內内"
    "壯壮寶宝層层敵敌會会氣气熱热盤盘節节編编聲声腫肿膽胆薦荐註注調调證证賽赛轉转陽阳驗验髮发黃黄羣群袪祛瘉愈纖纤締缔榮荣見见訓训鉤钩遙遥藝艺書书槍枪護护種种賭赌魚鱼鳥鸟獸兽龜龟飲饮飾饰燈灯線线車车寵宠幣币"
    "帳账賬账麼么"
)
SIMPLIFIED = {ord(a): b for a, b in zip(_TRADITIONAL[::2], _TRADITIONAL[1::2], strict=True)}


class _Table(dict[int, str | None]):
    """For `str.translate`: each character is looked at once, then remembered."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kind = unicodedata.category(character)
        made: str | None
        if kind[0] == "Z" or kind in ("Cc", "Cf") or 0xFE00 <= code <= 0xFE0F:
            made = None
        else:
            folded = unicodedata.normalize("NFKC", character).casefold()
            made = "".join(SIMPLIFIED.get(ord(one), one) for one in folded if not one.isspace()) or None
        self[code] = made
        return made


_TABLE = _Table()
# Most texts hold nothing but these after their spaces and capitals are gone: three times as quick as the table.
_UNUSUAL = re.compile(f"[^!-@\\[-~\u4e00-\u9fff]|[{''.join(map(chr, SIMPLIFIED))}]")


def normalised(text: str) -> str:
    """The text as words are compared: no spaces or invisible characters, half width, small letters, simplified."""
    plain = "".join(text.split()).lower()
    return text.translate(_TABLE) if _UNUSUAL.search(plain) else plain


def _folded(text: str) -> tuple[str, list[int]]:
    """As `normalised`, but with single spaces, and a line break between paragraphs; and where each character stands in the text."""
    made: list[str] = []
    places: list[int] = []
    breaks = 0
    for place, character in enumerate(text):
        if character.isspace():
            breaks += character == "\n"
            if made and made[-1] not in " \n":
                made.append(" ")
                places.append(place)
            if breaks > 1 and made:
                made[-1] = "\n"
            continue
        breaks = 0
        if folded := _TABLE[ord(character)]:
            made += folded
            places += [place] * len(folded)
    return "".join(made), places


def _places(text: str) -> list[int]:
    """For each character of the normalised text: its place in the text as given."""
    places: list[int] = []
    for place, character in enumerate(text):
        if made := _TABLE[ord(character)]:
            places += [place] * len(made)
    return places


# --- Matching ---------------------------------------------------------------------------------------------------


class Screen:
    """All words of some lists as one automaton."""

    def __init__(self, terms: Iterable[Term]) -> None:
        import ahocorasick

        self.terms = tuple(terms)
        self._automaton = ahocorasick.Automaton()
        keys: dict[str, tuple[list[Term], list[str], list[Term]]] = {}
        for term in self.terms:
            for cue in term.cues:
                keys.setdefault(normalised(cue), ([], [], []))[2].append(term)
            if term.pattern is None:
                keys.setdefault(normalised(term.term), ([], [], []))[0].append(term)
            for exception in term.exceptions:
                keys.setdefault(normalised(exception), ([], [], []))[1].append(term.term)
        for key, (found, excepts, cued) in keys.items():
            if key:
                self._automaton.add_word(key, (len(key), tuple(found), frozenset(excepts), tuple(cued)))
        self._phrases = {term.term: term for term in self.terms if term.pattern is not None}
        self._filled = bool(keys)
        if self._filled:
            self._automaton.make_automaton()

    def hits(self, texts: Sequence[str]) -> list[list[Hit]]:
        """For each text its hits in order; a hit within another of at least its severity is left out."""
        if not self._filled:
            return [[] for _text in texts]
        every = self._automaton.iter
        found = []
        for text in texts:
            raw = list(every(normalised(text))) if text else []
            found.append(self._kept(text, raw) if raw else [])
        return found

    def _kept(self, text: str, raw: list[tuple[int, Any]]) -> list[Hit]:
        places = _places(text)
        spans = [(end - length + 1, end, terms, excepts) for end, (length, terms, excepts, _cued) in raw]
        exceptions = [(first, last, excepts) for first, last, _terms, excepts in spans if excepts]
        hits = [
            Hit(term.term, term.category, term.severity, places[first], places[last] + 1, term.basis, term.note)
            for first, last, terms, _excepts in spans
            for term in terms
            if _stands_alone(text, places[first], places[last])
            and not any(a <= first and last <= b and term.term in excepts for a, b, excepts in exceptions)
        ]
        if cued := dict.fromkeys(term.term for _end, (_length, _terms, _excepts, cued) in raw for term in cued):
            said = {(hit.start, hit.end, hit.category) for hit in hits}  # a word of the lists needs no phrase to say it again
            hits += [hit for hit in _of_phrases(text, [self._phrases[name] for name in cued]) if (hit.start, hit.end, hit.category) not in said]
        hits.sort(key=lambda hit: (hit.start, -hit.end, -_RANK[hit.severity]))
        return [hit for place, hit in enumerate(hits) if not any(_covers(other, hit) for other in hits if other is not hit)]


def _of_phrases(text: str, phrases: Iterable[Term]) -> list[Hit]:
    """Where these turns of phrase stand in the text."""
    folded, places = _folded(text)
    return [
        Hit(one.term, one.category, one.severity, places[match.start()], places[match.end() - 1] + 1, one.basis, one.note)
        for one in phrases
        if one.pattern is not None
        for match in one.pattern.finditer(folded)
    ]


def _covers(other: Hit, hit: Hit) -> bool:
    inside = other.start <= hit.start and hit.end <= other.end
    longer = other.end - other.start > hit.end - hit.start
    return inside and longer and _RANK[other.severity] >= _RANK[hit.severity]


def _stands_alone(text: str, first: int, last: int) -> bool:
    """Latin letters and figures are words of their own: "CT" is not in "product", "100%" not in "1100%"."""
    return not (
        (first > 0 and _same_kind(text[first - 1], text[first]))
        or (last + 1 < len(text) and _same_kind(text[last], text[last + 1]))
    )


def _same_kind(a: str, b: str) -> bool:
    a, b = (unicodedata.normalize("NFKC", one).casefold()[:1] for one in (a, b))
    return (a.isascii() and a.isalpha() and b.isascii() and b.isalpha()) or (a.isdecimal() and b.isdecimal())


# --- The lists --------------------------------------------------------------------------------------------------


_PHRASES = tuple(
    Term(one.name, one.category, one.severity, one.basis, one.note, pattern=one.pattern, cues=one.cues) for one in PHRASES
)


@cache
def shipped(lists: tuple[str, ...] = ("terms", "categories", "brands")) -> Vocabulary:
    """The lists that come with daifa."""
    folder = files("daifa.domain.policy") / "data"
    read = read_lists({LISTS[name]: (folder / LISTS[name]).read_bytes() for name in lists})
    return replace(read, terms=(*read.terms, *_PHRASES)) if "terms" in lists and not read.problems else read


@cache
def shipped_screen(lists: tuple[str, ...], without: frozenset[str] = frozenset()) -> Screen:
    """The automaton of these lists without some categories of trouble."""
    return Screen(term for term in shipped(lists).terms if term.category not in without)


def read_lists(contents: dict[str, bytes]) -> Vocabulary:
    """Read lists of words, restricted goods and brands (file name → content); problems are named with their line."""
    reader = _Lists()
    for name in sorted(contents, key=lambda one: one != LISTS["terms"]):  # goods may repeat words of the terms
        reader.read(name, contents[name])
    if reader.problems:
        return Vocabulary(problems=tuple(sorted(reader.problems)))
    return Vocabulary(tuple(reader.terms), reader.bases, tuple(reader.goods), dates=reader.dates)


class _Lists:
    def __init__(self) -> None:
        self.terms: list[Term] = []
        self.bases: dict[str, Basis] = {}
        self.goods: list[Goods] = []
        self.problems: list[Problem] = []
        self.dates: dict[str, str] = {}
        self._seen: dict[str, tuple[str, int]] = {}

    def read(self, name: str, content: bytes) -> None:
        import yaml

        self.name = name
        try:
            root = yaml.compose(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._problem(mark.line + 1 if mark else 0, _("This is no YAML: %(problem)s.") % {"problem": error.problem or error.context})
            return
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
            self._problem(0, _("The file cannot be read as text in UTF-8."))
            return
        parts = {key.value: value for key, value in root.value} if root is not None and root.id == "mapping" else {}
        if "version" in parts:
            self.dates[name.rsplit(".", 1)[0]] = str(parts["version"].value)[:20]
        for key, node in _pairs(parts.get("bases")):
            said = _plain(node)
            if not isinstance(said, dict) or not {"zh", "en", "source", "confidence"} <= set(said) or said["confidence"] not in CONFIDENCES:
                self._problem(node.start_mark.line + 1, _("A basis has zh, en, source and confidence."))
            else:
                self.bases[key] = Basis(Words(said["zh"], said["en"]), said["source"], said["confidence"])
        entries = {"terms": self._term, "goods": self._goods, "brands": self._brand}
        if not entries.keys() & parts.keys():
            self._problem(0, _("A list of words has one of the fields terms, goods or brands."))
        for part, read in entries.items():
            if part not in parts:
                continue
            if parts[part].id != "sequence":
                self._problem(
                    parts[part].start_mark.line + 1,
                    _("Below “%(part)s:” stand the entries one after another, each beginning with “- ” on a line of its own. Something else stands here.")
                    % {"part": part},
                )
                continue
            for node in parts[part].value:
                try:
                    said = _plain(node)
                    wrong = read(said, node.start_mark.line + 1) if isinstance(said, dict) else self._no_entry(part)
                except (AttributeError, KeyError, TypeError, ValueError):
                    wrong = _("A field of this entry holds what does not belong there: compare it with an entry of daifa's own list.")
                if wrong:
                    self._problem(node.start_mark.line + 1, wrong)

    def _no_entry(self, part: str) -> str:
        begins = {"terms": "term: …", "goods": "id: …", "brands": "names: […]"}[part]
        return _("An entry begins with “- %(begins)s” and has its fields below, one a line. Something else stands here.") % {"begins": begins}

    def _problem(self, line: int, sentence: str) -> None:
        self.problems.append(Problem(self.name, line, sentence))

    def _add(self, term: Term, line: int) -> str:
        key = normalised(term.term)
        if not key:
            return _("A word is missing.")
        if key in self._seen:
            other, there = self._seen[key]
            return _("The word %(term)s stands in %(file)s, line %(line)d already.") % {"term": term.term, "file": other, "line": there}
        self._seen[key] = self.name, line
        self.terms.append(term)
        return ""

    def _common(self, said: dict[str, Any]) -> str:
        if said.get("severity") not in SEVERITIES:
            return _("The severity is one of: %(known)s.") % {"known": ", ".join(SEVERITIES)}
        note = said.get("note")
        if not isinstance(note, dict) or not all(isinstance(note.get(one), str) and note[one] for one in ("zh", "en")):
            return _("It has to be said in Chinese (zh) and in English (en).")
        return ""

    def _term(self, said: dict[str, Any], line: int) -> str:
        if wrong := self._common(said):
            return wrong
        if said.get("category") not in CATEGORIES:
            return _("The category is one of: %(known)s.") % {"known": ", ".join(CATEGORIES)}
        if said.get("match") != "contains":
            return _("Words are matched by contains, and by nothing else.")
        basis = tuple(said.get("basis") or ())
        if not basis or (unknown := [one for one in basis if one not in self.bases]):
            return _("The basis %(basis)s is not among the bases.") % {"basis": ", ".join(unknown) if basis else "—"}
        return self._add(
            Term(
                said.get("term") or "", said["category"], said["severity"], basis, Words(said["note"]["zh"], said["note"]["en"]),
                tuple(said.get("exceptions") or ()),
            ),
            line,
        )  # fmt: skip

    def _goods(self, said: dict[str, Any], line: int) -> str:
        if wrong := self._common(said):
            return wrong
        if not said.get("id") or not said.get("zh") or not said.get("en") or not said.get("words"):
            return _("Restricted goods have id, zh, en and words.")
        note = Words(said["note"]["zh"], said["note"]["en"])
        basis = tuple(said.get("basis") or ())
        self.goods.append(
            Goods(said["id"], Words(said["zh"], said["en"]), said["severity"], said.get("licence") or "", basis, note, tuple(said["words"]))
        )
        for word in said["words"]:
            if normalised(word) not in self._seen:  # the list of words may have it with a word of its own
                self._add(Term(word, "restricted_category", said["severity"], basis, note, tuple(said.get("exceptions") or ())), line)
        return ""

    def _brand(self, said: dict[str, Any], line: int) -> str:
        if wrong := self._common(said):
            return wrong
        note = Words(said["note"]["zh"], said["note"]["en"])
        for name in said.get("names") or ():
            if wrong := self._add(Term(str(name), "brand", said["severity"], tuple(said.get("basis") or ()), note), line):
                return wrong
        return "" if said.get("names") else _("Brands have names.")


def _pairs(node: Any) -> list[tuple[str, Any]]:
    return [(key.value, value) for key, value in node.value] if node is not None and node.id == "mapping" else []


def _plain(node: Any) -> Any:
    if node.id == "mapping":
        return {key.value: _plain(value) for key, value in node.value}
    if node.id == "sequence":
        return [_plain(value) for value in node.value]
    return node.value.strip()


def digest_of(texts: Iterable[str]) -> str:
    """The same words have the same digest, whatever their spaces and width: what a person approved."""
    return hashlib.sha256("\0".join(normalised(text) for text in texts).encode("utf-8", "surrogatepass")).hexdigest()


# --- May it be published? ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publishing:
    """May these texts be published? `sentence` says what stands against it, "" = nothing.

    `may` False and `waits` True: a person has to look first (`commands.approve_texts` with the `digest`); both False:
    words must be changed. `licences`: codes of the papers that the goods ask for.
    """

    may: bool
    waits: bool
    sentence: str
    hits: dict[str, list[Hit]]
    licences: tuple[str, ...]
    digest: str


def judge_texts(
    texts: dict[str, str], found: dict[str, list[Hit]], goods: Iterable[Goods], *, approved: Collection[str] = (), held_licences: Iterable[str] = ()
) -> Publishing:
    """The verdict over texts (name of the field → text) in which `found` stands.

    A word of severity "block" has to be changed, whoever approves. "review" waits for a person; so do goods that ask
    for a paper which is not among `held_licences`. "hint" hinders nothing. `approved`: words at which a person looked in these texts.
    """
    hits = [(name, hit) for name, of_field in found.items() for hit in of_field]
    words = {hit.term for _name, hit in hits if hit.category == "restricted_category"}
    asked = {one.licence for one in goods if one.licence and words & set(one.terms)}
    missing = tuple(sorted(asked - set(held_licences)))
    digest = digest_of(texts.values())
    of_rank = {rank: [(name, hit) for name, hit in hits if hit.severity == rank] for rank in SEVERITIES}
    licensed = {term for one in goods if one.licence in set(held_licences) for term in one.terms}
    waiting = [(name, hit) for name, hit in of_rank["review"] if hit.term not in licensed and hit.term not in approved]
    if of_rank["block"]:
        sentence = _("%(words)s must be changed before this is published.") % {"words": _named(of_rank["block"])}
        return Publishing(False, False, sentence, found, missing, digest)
    if waiting:
        sentence = _("A person must look before this is published: %(words)s.") % {"words": _named(waiting)}
        return Publishing(False, True, sentence, found, missing, digest)
    return Publishing(True, False, "", found, missing, digest)


def _named(hits: Sequence[tuple[str, Hit]], most: int = 5) -> str:
    """“最佳” (absolute claim), “VX” (…) and so on, in the reader's language."""
    seen = dict.fromkeys((hit.term, category_word(hit.category)) for _name, hit in hits)
    named = [_("“%(term)s” (%(category)s)") % {"term": term, "category": category} for term, category in seen]
    return listed(named[:most]) + (" …" if len(named) > most else "")


def is_kept(term: Term) -> bool:
    """True for a word that no own word takes out or softens."""
    return term.category in NEVER_ALLOWED and term.severity == "block"


def category_word(code: str) -> str:
    english, chinese = CATEGORIES.get(code, (code, code))
    return chinese if (get_language() or "").startswith("zh") else english


def refusal_of(hits: Sequence[Hit]) -> str:
    """ "" or the sentence why a text with these hits cannot be saved as something that is sent by itself."""
    blocking = [("", hit) for hit in hits if hit.severity == "block"]
    if not blocking:
        return ""
    return _("%(words)s must not be told to buyers; write it differently.") % {"words": _named(blocking)}
