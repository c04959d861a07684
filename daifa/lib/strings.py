"""The sentences in code and templates, and their translations: found, merged, checked, without a gettext binary.

    python -m daifa.lib.strings check           lists what has no translation (exit code 1 when there is any)
    python -m daifa.lib.strings update          brings the catalogue up to date; new sentences are left empty
    python -m daifa.lib.strings merge FILE.po   takes translations from FILE (several people may do so at once)
"""

from __future__ import annotations

import ast
import fcntl
import inspect
import io
import os
import re
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).resolve().parent.parent
CATALOGUE = PACKAGE / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
KEYWORDS = {
    "_": None, "N_": None, "gettext": None, "gettext_lazy": None, "gettext_noop": None,
    "ngettext": (1, 2), "ngettext_lazy": (1, 2), "pgettext": ((1, "c"), 2), "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}  # fmt: skip
PLACE = re.compile(r"%\((\w+)\)[sd]|%[sd]|\{(\w*)\}")


def sentences(package: Path = PACKAGE) -> Catalog:
    """Every sentence marked for translation below `package`, with the files it stands in. Tests are left out."""
    found = Catalog()
    for path in _files(package):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            # Django's own reading of a template: everything but the marked sentences becomes X.
            from django.utils.translation.template import templatize

            text = templatize(text, origin=str(path))
        for _line, message, comments, context in extract(
            "python", io.BytesIO(text.encode()), keywords=KEYWORDS, comment_tags=("Translators:",)
        ):
            found.add(message, locations=[(path.relative_to(package.parent).as_posix(), 0)],
                      auto_comments=comments, context=context)  # fmt: skip
    for file, sentence in _helps_of(package):
        found.add(sentence, locations=[(file, 0)])
    return found


COMMAND = re.compile(r'"daifa\.cli\.(\w+):(\w+)"')


def helps(text: str, commands: Collection[str] = ()) -> Iterator[str]:
    """The help of the command line in a module: `help=` of options and groups, and docstrings of commands.

    `commands`: names of plain functions that are commands without being marked as such.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            given = [word.value for word in node.keywords if word.arg == "help"]
            if isinstance(node.func, ast.Name) and node.func.id == "Entry":
                given += node.args[1:2]
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield inspect.cleandoc(value.value)
        elif isinstance(node, ast.FunctionDef) and (said := ast.get_docstring(node)):
            marks = {getattr(getattr(mark, "func", mark), "attr", "") for mark in node.decorator_list}
            if marks & {"command", "callback"} or node.name in commands:
                yield said


def _helps_of(package: Path) -> Iterator[tuple[str, str]]:
    """(file, sentence) of the command line below `package`."""
    entrance = package / "cli" / "main.py"
    if not entrance.is_file():
        return
    named = COMMAND.findall(entrance.read_text(encoding="utf-8"))
    for path in sorted(entrance.parent.glob("*.py")):
        plain = [name for module, name in named if module == path.stem]
        for sentence in helps(path.read_text(encoding="utf-8"), plain):
            yield path.relative_to(package.parent).as_posix(), sentence


def _files(package: Path) -> Iterator[Path]:
    for path in sorted(package.rglob("*")):
        parts = path.relative_to(package).parts
        if path.suffix in (".py", ".html") and not {"tests", "migrations", "vendor"} & set(parts):
            yield path


def read(path: Path = CATALOGUE) -> Catalog:
    if not path.exists():
        return Catalog(locale="zh_Hans")
    with path.open("rb") as file:
        return read_po(file, locale="zh_Hans", abort_invalid=True)


def problems(catalogue: Catalog, wanted: Catalog) -> list[str]:
    """One line for each sentence without a translation, or whose translation lost or invented a place like %(name)s."""
    found = []
    for message in wanted:
        if not message.id:
            continue
        translated = catalogue.get(message.id, message.context)
        where = ", ".join(sorted({name for name, _line in message.locations}))
        if translated is None or not _is_whole(translated):
            found.append(f"{_first(message.id)!r} has no translation ({where})")
        elif "fuzzy" in translated.flags:
            found.append(f"{_first(message.id)!r} is only guessed (fuzzy) ({where})")
        else:
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            strings = translated.string if isinstance(translated.string, tuple) else (translated.string,)
            places = set().union(*(set(PLACE.findall(one)) for one in ids))
            if any(set(PLACE.findall(one)) - places for one in strings) or (
                not isinstance(message.id, tuple) and set(PLACE.findall(strings[0])) != places
            ):
                found.append(f"{_first(message.id)!r}: the translation names other places ({where})")
    return found


def _first(words: str | tuple[str, ...]) -> str:
    return words if isinstance(words, str) else words[0]


def _is_whole(message: Message) -> bool:
    return all(message.string) if isinstance(message.string, tuple) else bool(message.string)


_HAN = "\u3400-\u9fff"
_MARKS = {",": "，", ";": "；", ":": "：", "?": "？", "!": "！"}
_MARK = re.compile(rf"(?:(?<=[{_HAN}”」》）])([,;:?!]) ?|(?<=\S)([,;:?!])(?=[{_HAN}“])|(?<=\)[sd])([,;:?!])(?!//) ?)")
_BRACKETS = re.compile(rf"(?<!%)\(((?:%\(\w+\)[sd]|[^()])*[{_HAN}](?:%\(\w+\)[sd]|[^()])*)\)|(?<=[{_HAN}”])\(((?:%\(\w+\)[sd]|[^()])*)\)")


def chinese_marks(text: str) -> str:
    """The text with the marks of Chinese print (，；：？！（）) where a Chinese sentence has English ones.

    A mark with neither a Chinese sign on a side nor a place before it stays as it is: it may belong to a command or an address.
    """
    if not re.search(f"[{_HAN}。]", text):
        return text
    text = _BRACKETS.sub(lambda found: f"（{found[1] if found[1] is not None else found[2]}）", text)
    return _MARK.sub(lambda found: _MARKS[found[1] or found[2] or found[3]], text)


def _printed(string: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
    if isinstance(string, tuple | list):
        return tuple(chinese_marks(one) for one in string)
    return chinese_marks(string) if string else string


def merged(catalogue: Catalog, wanted: Catalog, *others: Catalog) -> Catalog:
    """The sentences of `wanted` with translations of `others` (the last one wins), else of `catalogue`.

    Sentences nobody marks any more are kept while they are translated: another person's change may be on its way.
    """
    result = Catalog(
        locale="zh_Hans", project="daifa", version="", fuzzy=False, last_translator="", language_team="", charset="utf-8"
    )
    sources = [*reversed(others), catalogue]
    for message in wanted:
        if not message.id:
            continue
        known = (one for source in sources if (one := source.get(message.id, message.context)) and _is_whole(one))
        best = next(known, None)
        string = best.string if best is not None else None
        if isinstance(message.id, tuple) and isinstance(string, str):
            string = (string,)
        result.add(message.id, _printed(string), locations=message.locations, auto_comments=message.auto_comments,
                   context=message.context)  # fmt: skip
    for source in reversed(sources):
        for message in source:
            if message.id and _is_whole(message) and result.get(message.id, message.context) is None:
                result.add(message.id, _printed(message.string), context=message.context)
    return result


def write(catalogue: Catalog, path: Path = CATALOGUE) -> None:
    """In one step, without dates and line numbers, so that two people's changes seldom meet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.BytesIO()
    write_po(text, catalogue, width=120, omit_header=True, sort_output=True, include_lineno=False)
    head = (
        'msgid ""\nmsgstr ""\n"Project-Id-Version: daifa\\n"\n"Language: zh_Hans\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
        '"Plural-Forms: nplurals=1; plural=0;\\n"\n\n'
    )
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".po.part")
    with os.fdopen(handle, "wb") as file:
        file.write(head.encode() + text.getvalue())
    os.chmod(name, 0o644)
    os.replace(name, path)


def main(words: list[str]) -> int:
    verb = words[0] if words else "check"
    if verb == "check":
        missing = problems(read(), sentences())
        for line in missing:
            print(line)
        print(f"{len(missing)} sentences need a translation." if missing else "Every sentence has its translation.")
        return 1 if missing else 0
    with open(Path(tempfile.gettempdir()) / "daifa-strings.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        others = [read(Path(name)) for name in words[1:]] if verb == "merge" else []
        result = merged(read(), sentences(), *others)
        write(result)
    missing = sum(1 for message in result if message.id and not _is_whole(message))
    print(f"{len(result)} sentences, {missing} without a translation.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
