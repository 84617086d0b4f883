"""What is told of a client's certificate."""

import hashlib
import ssl

from tests.certificates import Authority
from wamp_transport.transports.peer_certificate import certificate_details


def test_names_and_fingerprints_are_told() -> None:
    issued = Authority("An authority").issue("alice")
    details = certificate_details(issued.certificate)
    der = ssl.PEM_cert_to_DER_cert(issued.certificate_pem.decode())
    assert details["subject"] == {"cn": "alice", "o": "Example"}
    assert details["issuer"] == {"cn": "An authority", "o": "Example"}
    assert details["sha1"].replace(":", "") == hashlib.sha1(der).hexdigest().upper()
    assert details["sha256"].replace(":", "") == hashlib.sha256(der).hexdigest().upper()
    assert details["sha1"].count(":") == 19
    assert details["serial"] == str(issued.certificate.serial_number)
    assert details["not_before"] < details["not_after"]
