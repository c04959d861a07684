"""The printed parts of the documents are those of the code."""

import pytest

from tests.house import printed


@pytest.mark.parametrize("name", printed.DOCS)
def test_the_document_is_current(name):
    text = (printed.ROOT / name).read_text()
    assert printed.MARK.search(text), f"{name} has no printed part"
    assert printed.renewed(text) == text, f"{name} is out of date: python -m tests.house.printed"


def test_every_part_is_printed_somewhere():
    text = "".join((printed.ROOT / name).read_text() for name in printed.DOCS)
    assert {mark[2] for mark in printed.MARK.finditer(text)} == set(printed.PARTS)


def test_every_process_is_printed_and_no_kind_is_used_twice():
    from daifa.lib.process import Process

    files = list((printed.ROOT / "daifa").rglob("process.py"))
    written = sum(path.read_text().count("= Process(") for path in files)
    assert len(printed.processes()) == written, "two processes share a kind"
    assert all(isinstance(process, Process) for process, _path in printed.processes())


def test_what_is_recorded_is_wired():
    from daifa.flows.reactions import REACTIONS

    assert set(printed._recorded_in()) == set(REACTIONS)
