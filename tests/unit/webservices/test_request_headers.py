import pytest

from wamp_transport.webservices.request_headers import (
    ByteRange,
    RangeNotSatisfiable,
    accepted,
    byte_range,
    header,
    if_range_holds,
    is_not_modified,
)

MODIFIED = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"


def test_header_repeated_is_joined(scope):
    request = scope(headers=[("Accept", "a"), ("accept", "b"), ("X", "c")])
    assert header(request, b"accept") == "a, b"
    assert header(request, b"y") is None


@pytest.mark.parametrize(
    ("value", "items"),
    [
        (None, set()),
        ("", set()),
        (" , ;q=1,,", set()),
        ("gzip, br", {"gzip", "br"}),
        ("GZip;q=0.5,BR ; Q=1.000", {"gzip", "br"}),
        ("gzip;q=0, br;q=0.000", set()),
        ("gzip;q=0.001", {"gzip"}),
        ("gzip;q=2, br;q=-1, zstd;q=x, a;q=, b;q=1e3, c;q=nan", set()),
        ("text/html;level=1;q=0.4", {"text/html"}),
        ("*", {"*"}),
        ("gzip" * 1000 + ";" * 1000, {"gzip" * 1000}),
    ],
)
def test_items_with_weight_zero_or_unreadable_are_refused(value, items):
    assert accepted(value) == items


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ('"b",W/"a","c"', True),
        ("*", True),
        (" * ", True),
        ('"b"', False),
        ("a", False),
        ("", False),
        ('"a', False),
        ('"A"', False),
        ('"' * 1001, False),
    ],
)
def test_entity_tag_in_list_means_not_modified(value, expected):
    assert is_not_modified(value, None, '"a"', None) is expected


def test_entity_tags_decide_alone_over_the_date():
    assert not is_not_modified('"b"', LATER, '"a"', MODIFIED)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (DATE, True),
        (LATER, True),
        (EARLIER, False),
        ("Sunday, 06-Nov-94 08:49:37 GMT", True),
        ("Sun Nov  6 08:49:37 1994", True),
        ("Fri, 31 Dec 9999 23:59:59 GMT", True),
        ("Sun, 99 Nov 1994 08:49:37 GMT", False),
        ("Sun, 06 Nov 99999 08:49:37 GMT", False),
        ("yesterday", False),
        ("", False),
        ("0", False),
        ("784111777", False),
        (f"{DATE}, {DATE}", False),
        ("\xff\x00", False),
    ],
)
def test_date_not_before_change_means_not_modified_and_nonsense_nothing(value, expected):
    assert is_not_modified(None, value, '"a"', MODIFIED) is expected


def test_unknown_time_of_change_is_always_modified():
    assert not is_not_modified(None, DATE, '"a"', None)
    assert not is_not_modified(None, None, '"a"', MODIFIED)


@pytest.mark.parametrize(
    ("value", "start", "length"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 100),
        ("bytes=99-", 99, 1),
        ("bytes=10-19", 10, 10),
        ("bytes=10-1000", 10, 90),
        ("bytes=10-999999999999999999", 10, 90),
        ("bytes=-1", 99, 1),
        ("bytes=-1000", 0, 100),
        ("Bytes = 1 - 2 ", 1, 2),
    ],
)
def test_one_range_is_cut_to_the_file(value, start, length):
    assert byte_range(value, 100) == ByteRange(start, length)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-1",
        "bytes=--5",
        "bytes=-5-",
        "bytes=+1-2",
        "bytes=1_0-2_0",
        "bytes=0x1-0x2",
        "bytes=1.0-2",
        "bytes=\u0661-\u0662",
        "bytes=0-1,2-3",
        "bytes=" + ",".join(["0-"] * 1000),
        "bytes=0-" + "9" * 5000,
        "bytes=" + "9" * 5000 + "-",
        "lines=0-1",
        "bytes 0-1",
        "0-1",
        "bytes=0-1\x00",
        "none",
    ],
)
def test_range_that_is_none_or_several_is_ignored(value):
    assert byte_range(value, 100) is None


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("bytes=100-", 100),
        ("bytes=100-200", 100),
        ("bytes=-0", 100),
        ("bytes=0-", 0),
        ("bytes=-5", 0),
        ("bytes=0-0", 0),
    ],
)
def test_range_outside_the_file_is_not_satisfiable(value, size):
    with pytest.raises(RangeNotSatisfiable):
        byte_range(value, size)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        ('"a"', True),
        (' "a" ', True),
        ('W/"a"', False),
        ('"b"', False),
        ('"b", "a"', False),
        (DATE, True),
        (LATER, False),
        (EARLIER, False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_if_range_needs_the_very_same_file(value, expected):
    assert if_range_holds(value, '"a"', MODIFIED) is expected


def test_if_range_date_fails_for_unknown_time_of_change():
    assert not if_range_holds(DATE, '"a"', None)
    assert not if_range_holds("nonsense", '"a"', None)
