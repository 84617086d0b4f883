import pytest

PLACE = "workers[0].transports[0].paths.x"

GOOD = [
    {"type": "static", "directory": "."},
    {"type": "static", "directory": ".", "id": "files_1", "options": {"cache_timeout": None}},
    {"type": "static", "package": "django", "resource": "contrib/admin/static"},
    {"type": "static", "directory": ".", "options": {"enable_directory_listing": True, "cache_timeout": 0}},
    {"type": "static", "directory": ".", "options": {"mime_types": {".md": "text/markdown"}, "default_file": "a.html"}},
    {"type": "static", "directory": ".", "options": {"allow_cross_origin": True}},
    {"type": "json", "value": None},
    {"type": "json", "value": {"a": [1, 2.5, {"b": None}]}, "options": {"prettify": False}},
    {"type": "json", "value": [], "options": {"allow_cross_origin": True, "discourage_caching": True}},
    {"type": "redirect", "url": "https://example.com/a?b=c#d"},
    {"type": "redirect", "url": "/ws"},
    {"type": "nodeinfo"},
]
BAD = [
    ({"type": "static"}, "", "found neither"),
    ({"type": "static", "directory": ".", "package": "a"}, "", "found both"),
    ({"type": "static", "package": "a"}, "", "found neither"),
    ({"type": "static", "resource": "a"}, "", "found neither"),
    ({"type": "static", "directory": ""}, "directory", "path of a directory"),
    ({"type": "static", "directory": 5}, "directory", "found 5"),
    ({"type": "static", "directory": "a\0b"}, "directory", "path of a directory"),
    ({"type": "static", "directory": ".", "options": {"cache_timeout": -1}}, "options.cache_timeout", "0 or more"),
    ({"type": "static", "directory": ".", "options": {"cache_timeout": True}}, "options.cache_timeout", "found true"),
    (
        {"type": "static", "directory": ".", "options": {"enable_directory_listing": 1}},
        "options.enable_directory_listing",
        "",
    ),
    ({"type": "static", "directory": ".", "options": {"mime_types": []}}, "options.mime_types", "an object"),
    ({"type": "static", "directory": ".", "options": {"mime_types": {"md": "a/b"}}}, "options.mime_types.md", "a dot"),
    (
        {"type": "static", "directory": ".", "options": {"mime_types": {".md": "md"}}},
        'options.mime_types[".md"]',
        "media",
    ),
    (
        {"type": "static", "directory": ".", "options": {"mime_types": {".md": 5}}},
        'options.mime_types[".md"]',
        "a string",
    ),
    ({"type": "static", "directory": ".", "options": {"default_file": 5}}, "options.default_file", "a string"),
    ({"type": "static", "directory": ".", "enable_directory_listing": True}, "enable_directory_listing", "unknown"),
    ({"type": "json"}, "value", "any JSON value"),
    ({"type": "json", "value": 1, "options": {"pretify": True}}, "options.pretify", "unknown"),
    ({"type": "json", "value": 1, "options": {"prettify": 1}}, "options.prettify", "true or false"),
    ({"type": "redirect"}, "url", "required and missing"),
    ({"type": "redirect", "url": ""}, "url", "a URL"),
    ({"type": "redirect", "url": "a b"}, "url", "a URL"),
    ({"type": "redirect", "url": "/a\r\nSet-Cookie: x"}, "url", "a URL"),
    ({"type": "redirect", "url": "/é"}, "url", "a URL"),
    ({"type": "nodeinfo", "url": "/"}, "url", "unknown"),
]


@pytest.mark.parametrize("given", GOOD)
def test_good_service_is_accepted(transport, problems, given):
    transport["paths"]["x"] = given
    assert problems(PLACE)[0] == {}


@pytest.mark.parametrize(("given", "path", "words"), BAD)
def test_bad_service_is_refused(transport, problems, given, path, words):
    transport["paths"]["x"] = given
    faults, _ = problems(PLACE)
    assert words in faults[path].message


def test_defaults_are_the_documented_ones(node, transport, read):
    transport["paths"] = {"f": {"type": "static", "directory": "."}, "j": {"type": "json", "value": 1}}
    files, value = (service.settings for service in read(node).configuration.services)
    assert files.options.model_dump() == {
        "enable_directory_listing": False,
        "mime_types": {},
        "cache_timeout": 43_200,
        "default_file": None,
        "allow_cross_origin": False,
    }
    assert value.options.model_dump() == {"prettify": True, "allow_cross_origin": False, "discourage_caching": False}


def test_directory_listing_is_told_not_to_be_offered(transport, problems):
    transport["paths"]["x"] = {"type": "static", "directory": ".", "options": {"enable_directory_listing": True}}
    assert list(problems(PLACE)[1]) == ["options.enable_directory_listing"]
