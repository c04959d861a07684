"""Letters: valid, of one recipient, named once; what each answer of a mail server means."""

import email
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.policy import default

import pytest

from daifa.lib import mail
from tests.mail_server import mail_server

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def letter(**fields) -> mail.Letter:
    return mail.Letter(
        **{
            "key": "buyer-7.abc",
            "to": "anna@buyers.daifa.co.uk",
            "subject": "Hello",
            "text": "One\nTwo\n",
            "at": AT,
        }
        | fields
    )


@pytest.mark.parametrize(
    ("subject", "text", "name"),
    [
        ("Your order E-1", "Dear Anna,\nit left.\n", "Example Gifts"),
        ("您的订单 E-1 已发货", "您好！\n运单号：YT123\n", "示例小店"),
        ("Größe " * 30, "long line " * 200 + "\nend", 'Müller, "Gifts" <&> Co'),
        ("x", ".\n..\nFrom here\n", "A"),
        ("很长的标题" * 30, "短", "一家名字特别特别长的小店" * 8),
    ],
)
def test_a_letter_is_valid_mail(subject, text, name):
    content = letter(
        subject=subject.strip(), text=text, from_name=name, reply_to="help@shop.daifa.co.uk"
    ).as_bytes()
    read = email.message_from_bytes(content, policy=default)
    assert not read.defects
    assert read["Subject"] == subject.strip()
    # (The new parser puts blanks between encoded words of a name; the old one reads them as the standard says.)
    assert name in str(make_header(decode_header(email.message_from_bytes(content)["From"])))
    assert read["To"].addresses[0].addr_spec == "anna@buyers.daifa.co.uk"
    assert read["Reply-To"].addresses[0].addr_spec == "help@shop.daifa.co.uk"
    assert read["Date"].datetime == AT
    assert read["Message-ID"].startswith("<buyer-7.abc@")
    assert read.get_content().replace("\r\n", "\n") == text
    assert max(map(len, content.split(b"\r\n"))) < 998


def test_attachments_travel_under_their_names():
    read = email.message_from_bytes(
        letter(attachments=[("采购单 1.xlsx", "application/zip", b"PK\x03\x04")]).as_bytes(), policy=default
    )
    [part] = read.iter_attachments()
    assert part.get_filename() == "采购单 1.xlsx"
    assert part.get_content() == b"PK\x03\x04"


@pytest.mark.parametrize("field", ["to", "subject", "from_name", "reply_to"])
@pytest.mark.parametrize("breaks", ["\nBcc: all@example.com", "\r\n\r\nhello", "\x0bx", "\u2028x"])
def test_a_header_takes_no_line_break(field, breaks):
    with pytest.raises(mail.Refused):
        letter(**{field: "anna@buyers.daifa.co.uk" + breaks}).as_bytes()


def test_domains_are_written_in_ascii_and_odd_addresses_refused():
    assert mail.ascii_address("li@例子.公司") == "li@xn--fsqu00a.xn--55qx5d"
    for address in ("李@example.com", "nobody", "a@" + "ü" * 80):
        with pytest.raises(mail.Refused):
            mail.ascii_address(address)


def test_addresses_nobody_can_have():
    for address in (
        "a@example.invalid",
        "a@x.test",
        "a@example.com",
        "a@shop.example",
        "a@b.example.org",
        "a@localhost",
    ):
        assert not mail.is_reachable(address)
    for address in ("a@gmail.com", "a@myexample.com", "a@invalid.cn"):
        assert mail.is_reachable(address)


def test_a_folder_keeps_the_first_of_two(tmp_path):
    with mail.Folder(tmp_path / "mail") as folder:
        folder.send(letter(text="first"))
        folder.send(letter(text="second"))
        assert folder.has("buyer-7.abc")
        assert not folder.has("buyer-8.abc")
    [file] = (tmp_path / "mail").iterdir()
    assert file.name == "buyer-7.abc.eml"
    assert b"first" in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


def test_a_key_cannot_leave_the_folder(tmp_path):
    for key in ("../out", "a/b", "", ".hidden", "x\n"):
        with pytest.raises(ValueError):
            mail.Folder(tmp_path).file_of(key)


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "mail").write_text("a file stands in the way")
    with pytest.raises(mail.Unusable, match="mail folder"), mail.Folder(tmp_path / "mail"):
        pass


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"RCPT": "550 no such user"}, mail.Refused),
        ({"RCPT": "450 greylisted"}, mail.TryLater),
        ({"DATA": "554 no"}, mail.Refused),
        ({"TEXT": "552 too big"}, mail.Refused),
        ({"TEXT": "451 later"}, mail.TryLater),
        ({"TEXT": None}, mail.NoAnswer),
        ({"MAIL": "530 log in first"}, mail.Unusable),
        ({"RCPT": None}, mail.Unusable),
        ({"TEXT": "421 closing"}, mail.Unusable),
    ],
)
def test_what_an_answer_means(answers, error):
    with mail_server(lambda verb, _what: answers.get(verb, "")) as server, mail.Smtp() as way:
        with pytest.raises(error) as raised:
            way.send(letter())
        assert raised.type is error
        assert server.letters == []
        assert "anna" not in str(raised.value)


def test_one_refusal_does_not_spoil_the_line():
    with mail_server(
        lambda verb, what: "550 no" if verb == "RCPT" and what.startswith("bad") else ""
    ) as server:
        with mail.Smtp() as way:
            with pytest.raises(mail.Refused):
                way.send(letter(to="bad@buyers.daifa.co.uk"))
            way.send(letter())
        assert [to for to, _text in server.letters] == ["anna@buyers.daifa.co.uk"]
        assert server.connections == 1


def test_no_server_is_a_sentence(settings):
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", 1, False
    with pytest.raises(mail.Unusable, match="cannot be reached"), mail.Smtp():
        pass
