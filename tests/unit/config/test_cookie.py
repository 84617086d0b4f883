import pytest

PLACE = "workers[0].transports[0].paths.ws.cookie"
MEMORY = {"type": "memory"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": "ab", "store": MEMORY},
        {"name": "__Host-cbtid", "store": MEMORY},
        {"length": 22, "store": MEMORY},
        {"length": 64, "store": {}},
        {"max_age": 1, "store": MEMORY},
        {"max_age": 311_040_000, "store": MEMORY},
        {"secure": True, "http_strict": False, "same_site": "None", "store": MEMORY},
        {"secure": None, "same_site": None},
        {"store": {"type": "memory", "max_cookies": 1}},
        {"store": {"type": "file", "filename": "cookies.dat", "purge_on_startup": True, "max_cookies": 10**8}},
        {"store": {"type": "database", "purge_on_startup": True}},
    ],
)
def test_good_cookie_is_accepted_without_a_word(service, problems, given):
    service["cookie"] = given
    faults, notices = problems(PLACE)
    assert not faults
    assert not notices


@pytest.mark.parametrize("key", ["path", "maxsize", "readonly", "sync"])
def test_attributes_of_crossbars_database_are_taken_and_told_to_do_nothing(service, problems, key):
    service["cookie"] = {"store": {"type": "database", "path": "db", "maxsize": 2**17, "readonly": True, "sync": False}}
    faults, notices = problems(PLACE)
    assert not faults
    assert "database of the Django project" in notices[f"store.{key}"].message


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({"length": 6}, "length", "can be guessed"),
        ({"length": 21}, "length", "can be guessed"),
        ({"same_site": "None"}, "same_site", "only with Secure"),
        ({"same_site": "None", "secure": False}, "same_site", "only with Secure"),
        ({"name": "__Host-id", "secure": False}, "secure", "__Host-id only with Secure"),
    ],
)
def test_doubtful_cookie_is_told(service, problems, given, path, words):
    service["cookie"] = given
    faults, notices = problems(PLACE)
    assert not faults
    assert words in notices[path].message


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({"name": "a", "store": MEMORY}, "name", "at least two"),
        ({"name": "__Host-", "store": MEMORY}, "name", "at least two"),
        ({"name": "A1", "store": MEMORY}, "name", 'found "A1"'),
        ({"name": "ab\n", "store": MEMORY}, "name", "at least two"),
        ({"length": 5, "store": MEMORY}, "length", "6 to 64"),
        ({"length": 65, "store": MEMORY}, "length", "6 to 64"),
        ({"max_age": 0, "store": MEMORY}, "max_age", "1 to 311040000"),
        ({"max_age": 311_040_001, "store": MEMORY}, "max_age", "1 to 311040000"),
        ({"secure": "yes", "store": MEMORY}, "secure", "true or false"),
        ({"http_strict": 1, "store": MEMORY}, "http_strict", "true or false"),
        ({"same_site": "lax", "store": MEMORY}, "same_site", '"Strict", "Lax", "None"'),
        ({"store": {"type": "memory", "purge_on_startup": True}}, "store.purge_on_startup", "does not belong"),
        ({"path": "/", "store": MEMORY}, "path", "unknown attribute"),
        ({"store": {"filename": "x"}}, "store.filename", 'a cookie store of type "database"'),
        ({"store": {"max_cookies": 0}}, "store.max_cookies", "1 to 100000000"),
        ({"store": {"size": 1}}, "store.size", "unknown attribute"),
        ({"store": {"type": "redis"}}, "store.type", "one of"),
        ({"store": {"type": "memory", "filename": "x"}}, "store.filename", "does not belong"),
        ({"store": {"type": "file"}}, "store.filename", "needs `filename`"),
        ({"store": {"type": "file", "filename": "x", "maxsize": 2**20}}, "store.maxsize", "does not belong"),
        ({"store": {"type": "database", "path": "x", "maxsize": 1}}, "store.maxsize", "131072 to"),
        ({"store": "memory"}, "store", "an object"),
        ("cbtid", "", "an object"),
    ],
)
def test_bad_cookie_is_refused(service, problems, given, path, words):
    service["cookie"] = given
    assert words in problems(PLACE)[0][path].message
