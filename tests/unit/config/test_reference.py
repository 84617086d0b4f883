import json

from wamp_transport.config.reference import _sections, json_schema, markdown, unoffered
from wamp_transport.config.schema_walk import attributes


def test_page_has_every_section_and_attribute():
    page = markdown()
    for section, _ in _sections():
        assert f"## {section.__name__}" in page
        if section.unoffered is None:
            assert all(f"| `{key}` |" in page for key, _ in attributes(section))


def test_row_tells_values_default_offer_and_help():
    rows = markdown().splitlines()
    row = next(row for row in rows if row.startswith("| `max_frame_size`"))
    assert "an integer from 0 to 67108864 (bytes) | `0` | yes | Maximum size of an incoming frame" in row
    row = next(row for row in rows if row.startswith("| `enable_flash_policy`"))
    assert "| ignored: Flash is gone" in row
    row = next(row for row in rows if row.startswith("| `anonymous-proxy`"))
    assert "| refused: " in row


def test_rows_have_as_many_cells_as_the_head():
    for line in markdown().splitlines():
        if line.startswith("|"):
            assert line.count("|") == 6, line


def test_section_tells_where_it_stands():
    assert "At `workers[].transports[].paths.*`." in markdown()
    assert "At `workers[].realms[].roles[].permissions[]`." in markdown()


def test_schema_is_json_with_keys_and_marks():
    schema = json.loads(json.dumps(json_schema()))
    assert {"$schema", "version", "controller", "workers"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    options = schema["$defs"]["WebSocketOptions"]["properties"]
    assert options["max_frame_size"]["maximum"] == 64 * 1024 * 1024
    assert options["max_frame_size"]["description"]
    assert options["flash_policy"]["offered"] is False
    assert "allow-by-default" in schema["$defs"]["RoleSection"]["properties"]
    assert {"type": "string"} in schema["$defs"]["TcpEndpoint"]["properties"]["port"]["anyOf"]


def test_unoffered_attributes_come_with_place_and_reason():
    told = {(place, key): (refused, reason) for place, keys, refused, reason in unoffered() for key in keys}
    assert told["controller", "id"] == (False, "there is no controller process")
    assert all(reason for _, _, _, reason in unoffered())
    assert any(refused for _, _, refused, _ in unoffered())


def test_unoffered_section_is_told_as_a_whole():
    wholes = {place: refused for place, keys, refused, _ in unoffered() if not keys}
    assert wholes["workers[] container guest websocket-testee proxy hostmonitor"] is False
