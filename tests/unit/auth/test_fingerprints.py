import pytest

from wamp_transport.auth.fingerprints import fingerprint, fingerprints_of

SHA1 = "B6:E5:E6:F2:2A:86:DB:3C:DC:9F:51:42:58:39:9B:14:92:5D:A1:EB"
DIGITS = SHA1.replace(":", "")


@pytest.mark.parametrize("given", [SHA1, SHA1.lower(), DIGITS, DIGITS.lower()])
def test_fingerprint_is_read_in_any_spelling(given):
    assert fingerprint("sha1", given) == f"sha1:{DIGITS}"


@pytest.mark.parametrize(
    ("algorithm", "given"), [("sha1", ""), ("sha1", DIGITS[:-1]), ("sha256", DIGITS), ("sha1", "Z" * 40)]
)
def test_what_is_none_is_refused(algorithm, given):
    with pytest.raises(ValueError, match=algorithm):
        fingerprint(algorithm, given)


def test_certificate_has_one_of_each_kind():
    found = fingerprints_of({"sha1": SHA1, "sha256": "AB:" * 31 + "AB", "subject": {}})
    assert found == {f"sha1:{DIGITS}", "sha256:" + "AB" * 32}


@pytest.mark.parametrize("certificate", [None, {}])
def test_no_certificate_has_none(certificate):
    assert fingerprints_of(certificate) == frozenset()
