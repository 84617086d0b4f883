import pytest

PLACE = "workers[0].transports[0].paths.ws.cookie"
MEMORY = {"type": "memory"}


@pytest.mark.parametrize(
    "given",
    [
        {"name": "ab", "store": MEMORY},
        {"length": 6, "store": MEMORY},
        {"length": 64, "store": MEMORY},
        {"max_age": 1, "store": MEMORY},
        {"max_age": 311_040_000, "store": MEMORY},
        {"secure": True, "http_strict": True, "same_site": "Lax", "store": MEMORY},
        {"store": {"type": "file", "filename": "cookies.dat", "purge_on_startup": True}},
        {"store": {"type": "database", "path": "db", "maxsize": 2**17, "readonly": True, "sync": False}},
    ],
)
def test_good_cookie_is_accepted_and_told(service, problems, given):
    service["cookie"] = given
    faults, notices = problems(PLACE)
    assert not faults
    assert "not offered yet" in notices[""].message


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({}, "store", "required and missing"),
        ({"name": "a", "store": MEMORY}, "name", "at least two"),
        ({"name": "A1", "store": MEMORY}, "name", 'found "A1"'),
        ({"name": "ab\n", "store": MEMORY}, "name", "at least two"),
        ({"length": 5, "store": MEMORY}, "length", "6 to 64"),
        ({"length": 65, "store": MEMORY}, "length", "6 to 64"),
        ({"max_age": 0, "store": MEMORY}, "max_age", "1 to 311040000"),
        ({"max_age": 311_040_001, "store": MEMORY}, "max_age", "1 to 311040000"),
        ({"secure": "yes", "store": MEMORY}, "secure", "true or false"),
        ({"http_strict": 1, "store": MEMORY}, "http_strict", "true or false"),
        ({"same_site": "lax", "store": MEMORY}, "same_site", '"Strict", "Lax", "None"'),
        ({"path": "/", "store": MEMORY}, "path", "unknown attribute"),
        ({"store": {}}, "store.type", "required and missing"),
        ({"store": {"type": "redis"}}, "store.type", "one of"),
        ({"store": {"type": "memory", "filename": "x"}}, "store.filename", "does not belong"),
        ({"store": {"type": "file"}}, "store.filename", "needs `filename`"),
        ({"store": {"type": "file", "filename": "x", "maxsize": 2**20}}, "store.maxsize", "does not belong"),
        ({"store": {"type": "database"}}, "store.path", "needs `path`"),
        ({"store": {"type": "database", "path": "x", "maxsize": 1}}, "store.maxsize", "131072 to"),
        ({"store": "memory"}, "store", "an object"),
        ("cbtid", "", "an object"),
    ],
)
def test_bad_cookie_is_refused(service, problems, given, path, words):
    service["cookie"] = given
    assert words in problems(PLACE)[0][path].message
