import pytest

PLACE = "workers[0].transports[0].paths.ws.options.compression"

GOOD = [
    ("request_no_context_takeover", True),
    ("request_max_window_bits", 0),
    ("request_max_window_bits", 9),
    ("request_max_window_bits", 15),
    ("no_context_takeover", False),
    ("max_window_bits", 9),
    ("max_window_bits", 15),
    ("memory_level", 1),
    ("memory_level", 9),
]
BAD = [
    ("request_no_context_takeover", 1, "true or false"),
    ("request_max_window_bits", -1, "0 to 15"),
    ("request_max_window_bits", 8, "9 to 15"),
    ("request_max_window_bits", 16, "0 to 15"),
    ("request_max_window_bits", True, "found true"),
    ("no_context_takeover", "no", "true or false"),
    ("max_window_bits", 8, "9 to 15"),
    ("max_window_bits", 16, "9 to 15"),
    ("memory_level", 0, "1 to 9"),
    ("memory_level", 10, "1 to 9"),
    ("memory", 1, "unknown attribute"),
]


@pytest.mark.parametrize(("key", "value"), GOOD)
def test_good_parameter_is_accepted(service, problems, key, value):
    service["options"] = {"compression": {"deflate": {key: value}}}
    assert problems(PLACE) == ({}, {})


@pytest.mark.parametrize(("key", "value", "words"), BAD)
def test_bad_parameter_is_refused(service, problems, key, value, words):
    service["options"] = {"compression": {"deflate": {key: value}}}
    faults, _ = problems(PLACE)
    assert words in faults[f"deflate.{key}"].message


@pytest.mark.parametrize("value", [{}, {"deflate": {}}])
def test_empty_compression_is_accepted(service, problems, value):
    service["options"] = {"compression": value}
    assert problems(PLACE) == ({}, {})


@pytest.mark.parametrize(("value", "path"), [(True, ""), ("deflate", ""), ({"bzip2": {}}, "bzip2"), ([], "")])
def test_other_compression_is_refused(service, problems, value, path):
    service["options"] = {"compression": value}
    assert path in problems(PLACE)[0]
