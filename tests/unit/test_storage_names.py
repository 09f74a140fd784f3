"""How names travel in headers: read back by another implementation, Python's e-mail parser."""

from email import message_from_bytes
from email.policy import HTTP

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from haulier.storage.names import content_disposition, media_type


def name_read_from(header: str) -> str:
    """What a reader of RFC 6266 shows. Python's parser takes the first of both forms instead of the better one."""
    plain, better, value = header.rpartition("; filename*=")
    header = f"attachment{better}{value}" if plain else header
    message = message_from_bytes(f"Content-Disposition: {header}\r\n\r\n".encode("ascii"), policy=HTTP)
    assert message.get_content_disposition() == "attachment"
    assert message.defects == []
    return message.get_filename()


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="/\\"), min_size=1))
@example("ünïcödé 日本語 🎉.zip")
@example('100% "quoted"; filename=evil.exe\'.zip')
@example("a")
@example("تقرير ١٢.pdf")
@example("日" * 85)
def test_a_name_comes_out_as_it_went_in(name):
    assume(name[0] + name[-1] not in ('""', "<>"))  # Python's reader takes these away even where they were encoded
    assert name_read_from(content_disposition(name)).split() == name.split()


@given(st.text())
@example("x\r\nSet-Cookie: a=b")
@example("\ud800")
@example("../../etc/passwd")
def test_no_text_breaks_out_of_the_header(text):
    header = content_disposition(text)

    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert "/" not in name_read_from(header)


def test_a_plain_name_needs_no_second_form():
    assert content_disposition("report 7.zip") == 'attachment; filename="report 7.zip"'


def test_another_name_has_both_forms():
    assert content_disposition('ü"%.zip') == "attachment; filename=\"___.zip\"; filename*=UTF-8''%C3%BC%22%25.zip"


def test_an_empty_name_is_called_file():
    assert content_disposition("") == 'attachment; filename="file"'


@pytest.mark.parametrize("text", ["application/zip", "text/csv; charset=utf-8", "application/vnd.ms-excel+xml"])
def test_a_media_type_is_kept(text):
    assert media_type(text) == text


@pytest.mark.parametrize("text", ["", "zip", "a/b\r\nX: y", "text/ü", "a/b; x=\n", "a b/c"])
def test_what_is_no_media_type_is_called_bytes(text):
    assert media_type(text) == "application/octet-stream"
