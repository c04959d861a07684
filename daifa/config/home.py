"""The folder this installation keeps its things in: `pg`, `files`, `mail`, `secret.key`."""

import os
import secrets
from pathlib import Path

SUBFOLDERS = ("files", "mail")


def home() -> Path:
    """DAIFA_HOME; else /var/lib/daifa for root, else the XDG data folder of the user."""
    given = os.environ.get("DAIFA_HOME", "").strip()
    if given:
        return Path(given).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/daifa")
    data = os.environ.get("XDG_DATA_HOME", "").strip()
    return (Path(data) if data else Path.home() / ".local" / "share") / "daifa"


def make_home() -> Path:
    """Create the home and its folders where missing; an existing folder keeps its mode.

    As root the home itself may be passed through (0711), because the database in it runs as another user; what lies
    in it may not be read by others.
    """
    top = home()
    if not top.is_dir():
        top.mkdir(parents=True, exist_ok=True)
        top.chmod(0o711 if os.geteuid() == 0 else 0o700)
    for name in SUBFOLDERS:
        folder = top / name
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
    return top


def base_url() -> str:
    """DAIFA_BASE_URL; else where `daifa up` serves this home, or did last; else the usual port."""
    given = os.environ.get("DAIFA_BASE_URL", "").strip()
    if not given:
        try:
            given = _base_url_file().read_text().strip()
        except OSError:
            given = ""
    return (given or "http://127.0.0.1:8000").rstrip("/")


def remember_base_url(url: str) -> None:
    """Let the commands beside `daifa up` print addresses that lead there."""
    _base_url_file().write_text(f"{url}\n")


def _base_url_file() -> Path:
    return home() / "base_url"


def secret_key() -> str:
    """DAIFA_SECRET_KEY, or the content of DAIFA_SECRET_KEY_FILE, or `secret.key` in the home, written once (0600)."""
    given = os.environ.get("DAIFA_SECRET_KEY", "").strip()
    if given:
        return given
    named = os.environ.get("DAIFA_SECRET_KEY_FILE", "").strip()
    if named:
        return Path(named).read_text().strip()
    return read_or_write_secret(make_home() / "secret.key")


def read_or_write_secret(path: Path) -> str:
    """The secret in `path`; where there is no file, a new one of 50 random bytes, readable by its owner only."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    value = secrets.token_urlsafe(50)
    # Written aside and linked: of two processes that start together one wins and both read the same key.
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
    finally:
        os.unlink(aside)
    return path.read_text().strip()
