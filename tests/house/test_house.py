"""What holds for the repository as a whole: locks, what may not be committed, migrations, subjects."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
TEXT = {
    "",
    ".py",
    ".md",
    ".toml",
    ".lock",
    ".txt",
    ".html",
    ".js",
    ".css",
    ".json",
    ".po",
    ".yml",
    ".yaml",
    ".csv",
    ".cfg",
    ".sh",
}


def committed_files() -> list[Path]:
    """The files git knows; in a plain copy of the sources, all that are not products."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        return [
            p for p in ROOT.rglob("*") if p.is_file() and not {".venv", ".git", "__pycache__"} & set(p.parts)
        ]


def requirements(lock: str) -> dict[str, list[str]]:
    """{"name==version": its lines} of a lock file."""
    found: dict[str, list[str]] = {}
    current = None
    for line in (ROOT / lock).read_text().splitlines():
        if line and not line.startswith(("#", " ")):
            current = line.split()[0]
            found[current] = []
        elif current:
            found[current].append(line.strip())
    return found


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_every_locked_package_is_pinned_with_hashes_and_no_address(lock):
    locked = requirements(lock)
    assert len(locked) > 30
    for requirement, lines in locked.items():
        assert re.fullmatch(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==[^\s]+", requirement), requirement
        assert any(line.startswith("--hash=sha256:") for line in lines), f"{requirement} has no hash"
    text = (ROOT / lock).read_text()
    assert "//" not in text, "an address in the lock ties the project to one index"
    assert "index-url" not in text


def test_the_locks_hold_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def name(requirement: str) -> str:
        return re.split(r"[\[=<>~!; ]", requirement)[0].lower().replace("_", "-")

    def pin(requirement: str) -> str | None:
        return requirement.split("==")[1] if "==" in requirement else None

    def locked(lock: str) -> dict[str, str]:
        return {name(pinned): pinned.split("==")[1] for pinned in requirements(lock)}

    core, everything = locked("requirements.lock"), locked("requirements-test.lock")
    for requirement in project["dependencies"]:
        assert core.get(name(requirement)) in {pin(requirement) or core[name(requirement)]}, requirement
    for requirement in project["optional-dependencies"]["test"]:
        assert name(requirement) in everything, requirement
    assert {n: everything.get(n) for n in core} == core, (
        "both locks must agree, or `make test` tests something else"
    )


# Written in pieces, because this file is committed too.
FORBIDDEN = {
    "a package registry": re.compile(
        "|".join(
            ("pypi" + r"\.org", "python" + r"hosted\.org", "npm" + r"js\.(org|com)", "yarn" + r"pkg\.com")
        ),
        re.I,
    ),
    "a path of one machine": re.compile(
        "|".join(("/wo" + r"rk/(main|shared)\b", "/ro" + r"ot/\.", "/ho" + r"me/[a-z]+/"))
    ),
}


def test_no_committed_file_names_a_registry_or_a_machine():
    breaches = []
    for path in committed_files():
        if path.suffix not in TEXT or path.stat().st_size > 3_000_000:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            for what, pattern in FORBIDDEN.items():
                if found := pattern.search(line):
                    breaches.append(f"{path.relative_to(ROOT)}:{number} names {what}: {found[0]}")
    assert not breaches, "\n".join(breaches)


def test_nothing_built_is_committed():
    built = [
        p for p in committed_files() if p.suffix in (".mo", ".pyc") or p.name in (".coverage", "secret.key")
    ]
    assert built == []


def test_every_subject_is_installed_and_introduces_itself():
    folders = {p.parent.name for p in (ROOT / "daifa/domain").glob("*/apps.py")}
    assert folders == set(settings.SUBJECTS)
    for subject in folders:
        docstring = (ROOT / "daifa/domain" / subject / "__init__.py").read_text()
        assert docstring.startswith('"""'), f"{subject} does not say what it is"


def test_no_drawer_is_named_after_nothing():
    nothing = {"utils.py", "helpers.py", "managers.py", "misc.py", "common.py"}
    assert [p for p in committed_files() if p.name in nothing] == []


@pytest.mark.django_db
def test_models_and_migrations_agree():
    call_command("makemigrations", check=True, dry_run=True, verbosity=1)


@pytest.mark.django_db
def test_missing_migrations_are_noticed_without_reading_them():
    from django.db import connection

    from daifa.config.schema import missing_migrations

    assert missing_migrations() == []
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'people' AND name = '0001_initial'")
    assert missing_migrations() == ["people.0001_initial"]


def _rows() -> dict[str, int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'content types', count(*) FROM django_content_type UNION ALL "
            "SELECT 'people', count(*) FROM people_user"
        )
        return dict(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("run", [1, 2])
def test_tests_that_commit_leave_no_rows_and_take_none(run):
    from daifa.domain.people.models import User

    before = _rows()
    assert before["people"] == 0 and before["content types"] > 10
    User.objects.create(username="committed")
