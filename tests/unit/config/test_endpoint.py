import pytest

from wamp_transport.config.endpoint import TlsSection

PLACE = "workers[0].transports[0].endpoint"


TLS = {"key": "x", "certificate": "y"}


def endpoint_problems(transport, problems, **given):
    transport["endpoint"] = given
    return problems(PLACE)


@pytest.mark.parametrize(
    "given",
    [
        {"type": "tcp", "port": 1},
        {"type": "tcp", "port": 65535, "interface": "127.0.0.1", "backlog": 1, "shared": False, "user_timeout": 0},
        {"type": "tcp", "port": 80, "interface": "::1"},
        {"type": "tcp", "port": 80, "interface": "::1", "version": 6},
        {"type": "tcp", "port": 80, "version": 4, "user_timeout": None, "tls": None},
        {"type": "unix", "path": "sock"},
        {"type": "unix", "path": "/tmp/sock", "backlog": 65535},
    ],
)
def test_good_endpoint_is_accepted(transport, problems, given):
    assert endpoint_problems(transport, problems, **given) == ({}, {})


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({"type": "tcp"}, "port", "required and missing"),
        ({"type": "tcp", "port": 0}, "port", "1 to 65535"),
        ({"type": "tcp", "port": 65536}, "port", "found 65536"),
        ({"type": "tcp", "port": True}, "port", "found true"),
        ({"type": "tcp", "port": "80"}, "port", 'found "80"'),
        ({"type": "tcp", "port": "$NOPE"}, "port", "NOPE is not set"),
        ({"type": "tcp", "port": 80, "interface": 5}, "interface", "expected a string"),
        ({"type": "tcp", "port": 80, "interface": "a b"}, "interface", "expected"),
        ({"type": "tcp", "port": 80, "version": 5}, "version", "one of 4, 6"),
        ({"type": "tcp", "port": 80, "version": True}, "version", "one of 4, 6"),
        ({"type": "tcp", "port": 80, "version": 6, "interface": "127.0.0.1"}, "version", "IPv4"),
        ({"type": "tcp", "port": 80, "version": 4, "interface": "::1"}, "version", "IPv6"),
        ({"type": "tcp", "port": 80, "backlog": 0}, "backlog", "1 to 65535"),
        ({"type": "tcp", "port": 80, "shared": 1}, "shared", "true or false"),
        ({"type": "tcp", "port": 80, "user_timeout": 65536}, "user_timeout", "0 to 65535 (ms)"),
        ({"type": "tcp", "port": 80, "tls": {"key": "x"}}, "tls.certificate", "required and missing"),
        ({"type": "tcp", "port": 80, "tls": TLS | {"key": "-----BEGIN KEY-----\nabc"}}, "tls.key", "path of a file"),
        ({"type": "tcp", "port": 80, "tls": TLS | {"ca_certificates": "x"}}, "tls.ca_certificates", "list of strings"),
        ({"type": "tcp", "port": 80, "tls": TLS | {"chain_certificates": [""]}}, "tls.chain_certificates[0]", "found"),
        ({"type": "tcp", "port": 80, "tls": TLS | {"ciphers": "a;b"}}, "tls.ciphers", "cipher list"),
        (
            {"type": "tcp", "port": 80, "tls": TLS | {"require_client_certificate": True}},
            "tls.require_client_certificate",
            "needs `ca_certificates`",
        ),
        ({"type": "tcp", "port": 80, "portrange": [1, 2]}, "portrange", "`port`"),
        ({"type": "tcp", "port": 80, "prot": 80}, "prot", "unknown attribute"),
        ({"type": "unix"}, "path", "required and missing"),
        ({"type": "unix", "path": ""}, "path", "path of a socket"),
        ({"type": "unix", "path": "a\0b"}, "path", "path of a socket"),
        ({"type": "unix", "path": "a", "port": 80}, "port", "unknown attribute"),
        ({"type": "twisted", "server_string": "x"}, "", "not offered"),
        ({"type": "onion"}, "", "not offered"),
        ({"type": "tpc", "port": 80}, "type", "unknown type"),
        ({"port": 80}, "type", "required and missing"),
    ],
)
def test_bad_endpoint_is_refused(transport, problems, given, path, words):
    faults, _ = endpoint_problems(transport, problems, **given)
    assert words in str(faults[path])


@pytest.mark.parametrize(
    ("given", "refuses"),
    [
        ({}, False),
        ({"ca_certificates": ("ca.pem",)}, True),
        ({"ca_certificates": ("ca.pem",), "require_client_certificate": True}, True),
        ({"ca_certificates": ("ca.pem",), "require_client_certificate": False}, False),
    ],
)
def test_certificates_of_clients_are_required_unless_the_option_says_otherwise(given, refuses):
    assert TlsSection(**TLS, **given).refuses_clients_without_certificate is refuses


def test_misspelt_type_gets_a_suggestion(transport, problems):
    faults, _ = endpoint_problems(transport, problems, type="tpc", port=80)
    assert "did you mean 'tcp'?" in faults["type"].hint


def test_port_from_the_environment_is_the_port(node, transport, read):
    transport["endpoint"]["port"] = "$PORT"
    assert read(node, PORT="9000").configuration.transports[0].listening.port == 9000


def test_port_from_the_environment_keeps_the_range(node, transport, read):
    transport["endpoint"]["port"] = "${PORT}"
    assert "1 to 65535" in read(node, PORT="70000").faults[f"{PLACE}.port"].message


def test_certificate_is_never_shown(transport, problems):
    faults, _ = endpoint_problems(transport, problems, type="tcp", port=80, tls={"key": "hunter2"})
    assert "hunter2" not in str(faults)


def test_authorities_alone_are_no_reason_for_a_notice(transport, problems):
    tls = TLS | {"ca_certificates": ["z"]}
    _, notices = endpoint_problems(transport, problems, type="tcp", port=80, tls=tls)
    assert notices == {}
