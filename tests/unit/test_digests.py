"""Digests that another process goes on with."""

import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier import digests
from haulier.digests import ResumableDigest, can_resume

NAMES = ["sha-256", "md5"]
THEIRS = {"sha-256": hashlib.sha256, "md5": hashlib.md5}


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_digest_is_hashlibs(name):
    assert ResumableDigest(name).hexdigest() == THEIRS[name]().hexdigest()


@pytest.mark.parametrize("name", NAMES)
@given(pieces=st.lists(st.binary(max_size=300), max_size=12), saves=st.sets(st.integers(0, 12)))
def test_any_cuts_and_any_saves_give_hashlibs_digest(name, pieces, saves):
    digest, theirs = ResumableDigest(name), THEIRS[name]()

    for at, piece in enumerate(pieces):
        if at in saves:
            digest = ResumableDigest(name, digest.state())
        digest.update(piece)
        theirs.update(piece)
        assert digest.digest() == theirs.digest()

    assert digest.hexdigest() == theirs.hexdigest()
    assert len(digest.state()) <= 104


@pytest.mark.parametrize("name", NAMES)
def test_a_view_counts_as_its_bytes(name):
    whole = bytes(range(256)) * 3_000
    digest = ResumableDigest(name)

    digest.update(memoryview(whole)[:300_001])
    digest.update(memoryview(bytearray(whole))[300_001:])

    assert digest.digest() == THEIRS[name](whole).digest()


@pytest.mark.parametrize("name", NAMES)
def test_a_digest_behind_half_a_gigabyte_is_right_and_its_state_too(name):
    piece = bytes(1 << 20)
    digest, theirs = ResumableDigest(name), THEIRS[name]()
    digest.update(b"x")
    theirs.update(b"x")
    for _ in range(512):  # more bits than one word of the state can count
        digest.update(piece)
        theirs.update(piece)

    later = ResumableDigest(name, digest.state())
    later.update(b"y")
    theirs.update(b"y")

    assert later.digest() == theirs.digest()


@pytest.mark.parametrize("name", NAMES)
def test_another_process_goes_on(name):
    digest = ResumableDigest(name)
    digest.update(b"a" * 100)
    program = (
        "import sys; from haulier.digests import ResumableDigest;"
        "digest = ResumableDigest(sys.argv[1], bytes.fromhex(sys.argv[2]));"
        "digest.update(b'b' * 100); print(digest.hexdigest())"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, name, digest.state().hex()], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == THEIRS[name](b"a" * 100 + b"b" * 100).hexdigest()


def test_a_state_has_the_same_form_on_every_machine():
    digest = ResumableDigest("sha-256")
    digest.update(b"abc")

    # The words are those that FIPS 180-4 section 5.3.3 starts with, as no block is full yet.
    start = "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"
    assert digest.state().hex() == f"01{3:016x}{start}{b'abc'.hex()}"


@pytest.mark.parametrize("name", NAMES)
@given(state=st.binary(max_size=120))
def test_what_is_no_state_is_refused_or_harmless(name, state):
    try:
        digest = ResumableDigest(name, state)
    except ValueError:
        return
    digest.update(b"x")
    assert len(digest.digest()) == THEIRS[name]().digest_size


def test_a_state_of_the_other_algorithm_is_refused():
    with pytest.raises(ValueError, match="not the state of this digest"):
        ResumableDigest("md5", ResumableDigest("sha-256").state())


@pytest.fixture
def without_openssl(monkeypatch):
    monkeypatch.setattr(digests, "_functions", lambda _: None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("without_openssl")
def test_without_openssl_digests_are_right_and_have_no_state(name):
    digest = ResumableDigest(name)
    digest.update(b"abc")
    digest.update(memoryview(b"def"))

    assert digest.hexdigest() == THEIRS[name](b"abcdef").hexdigest()
    assert digest.state() is None
    assert not can_resume()


@pytest.mark.usefixtures("without_openssl")
def test_without_openssl_no_state_can_be_gone_on_with():
    with pytest.raises(ValueError, match="cannot go on"):
        ResumableDigest("sha-256", b"\1" + bytes(40))


def test_functions_that_answer_something_else_are_not_used():
    real = digests._functions("md5")

    assert digests._is_right("md5", real)
    assert not digests._is_right("sha-256", real)
