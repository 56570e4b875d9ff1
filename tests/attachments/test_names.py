"""Names of files that would mislead people or file systems."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.attachments.names import LONGEST_NAME, extension_of, safe_name


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("Çay listesi 2026.xlsx", "Çay listesi 2026.xlsx"),
        ("发票.pdf", "发票.pdf"),
        ("ใบเสร็จ.png", "ใบเสร็จ.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("a\0b.txt", "ab.txt"),
        ("a\r\nset-cookie: x.txt", "aset-cookie_ x.txt"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("\u2066a\u2069\u200b.png", "a.png"),
        ("\ufeffa.png", "a.png"),
        ("line\u2028end.txt", "lineend.txt"),
        ('<img src=x onerror="alert(1)">.png', "_img src=x onerror=_alert(1)__.png"),
        ("a|b?c*d:e.png", "a_b_c_d_e.png"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1.tar.txt", "_com1.tar.txt"),
        ("LPT9.csv", "_LPT9.csv"),
        ("console.txt", "console.txt"),
        (".htaccess", "file.htaccess"),
        ("...", "file"),
        ("", "file"),
        ("   ", "file"),
        ("\u200b.png", "file.png"),
        ("a.exe.", "a.exe"),
        ("a.txt   ", "a.txt"),
        ("a  \t b.txt", "a b.txt"),
        ("a/", "file"),
        ("\ud800.txt", "file.txt"),
        ("\ue000private.txt", "private.txt"),
    ],
)
def test_names_are_made_safe(given_name: str, expected: str) -> None:
    assert safe_name(given_name) == expected


def test_long_names_keep_their_extension() -> None:
    name = safe_name("ช" * 300 + ".docx")
    assert name.endswith("ช.docx")
    assert LONGEST_NAME - 3 < len(name.encode()) <= LONGEST_NAME


def test_what_is_long_behind_the_dot_is_no_extension() -> None:
    assert len(safe_name("a." + "x" * 500).encode()) == LONGEST_NAME


@given(st.text(max_size=400))
def test_any_name_is_one_safe_name(name: str) -> None:
    made = safe_name(name)
    assert safe_name(made) == made
    assert 1 <= len(made.encode()) <= LONGEST_NAME
    assert made.isprintable()
    assert not set(made) & set('/\\<>:"|?*')
    assert made not in (".", "..")
    assert made == made.rstrip(". ")


@pytest.mark.parametrize(
    ("name", "extension"), [("a.PNG", "png"), ("a.tar.gz", "gz"), ("a", ""), (".png", ""), ("a.", "")]
)
def test_extension(name: str, extension: str) -> None:
    assert extension_of(name) == extension
