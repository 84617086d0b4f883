"""``manage.py wamp``: what it writes, what it says, and its exit codes."""

import io
import json
import os

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from tests.django.configurations import node
from tests.django.test_stores_configuration import no_tables  # noqa: F401 - a fixture
from wamp_transport.config import read_file, template
from wamp_transport.config.dialects import with_dialect
from wamp_transport.management.commands.wamp import Command
from wamp_transport.management.subcommands import SUBCOMMANDS
from wamp_transport.models import PermissionRule, Principal, Transport, UserRole
from wamp_transport.stores import configuration as store

FAULTY = {"workers": [{"type": "router", "transports": [{"type": "web", "paths": {"a": {"type": "x"}, "b": 1}}]}]}


def run(*args):
    """What a subcommand wrote to its two streams."""
    out, err = io.StringIO(), io.StringIO()
    call_command("wamp", *map(str, args), stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def refused(*args):
    """The message of a subcommand that fails with exit code 1, and what it wrote."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("wamp", *map(str, args), stdout=out, no_color=True)
    assert caught.value.returncode == 1
    return str(caught.value), out.getvalue()


def written(directory, mapping):
    """A configuration file with this mapping."""
    file = directory / "config.json"
    file.write_text(json.dumps(mapping))
    return file


# --- init ------------------------------------------------------------------------------------------------------------


def test_init_writes_a_node_that_can_be_read(tmp_path):
    out, _ = run("init", tmp_path / "deep" / "node")
    file = tmp_path / "deep" / "node" / ".crossbar" / "config.json"
    assert json.loads(file.read_text()) == template()
    assert f"manage.py runserver --config {tmp_path / 'deep' / 'node'}" in out
    assert read_file(tmp_path / "deep" / "node").report.faults == ()


def test_init_where_there_is_one_changes_nothing(tmp_path):
    (tmp_path / ".crossbar").mkdir()
    written(tmp_path / ".crossbar", {"version": 2})
    message, _ = refused("init", tmp_path)
    assert "exists already" in message
    assert (tmp_path / ".crossbar" / "config.json").read_text() == '{"version": 2}'


@pytest.mark.parametrize("name", ["file/node", "a\x00b"])
def test_init_where_nothing_can_be_made_says_why(tmp_path, name):
    (tmp_path / "file").write_text("")
    message, _ = refused("init", f"{tmp_path}/{name}")
    assert "cannot be written" in message


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_of_a_good_file_says_so(tmp_path):
    run("init", tmp_path)
    for path in (tmp_path, tmp_path / ".crossbar", tmp_path / ".crossbar" / "config.json"):
        out, _ = run("check", path)
        assert "no faults" in out


def test_check_tells_notices_and_succeeds(tmp_path):
    out, _ = run("check", written(tmp_path, node(old={"type": "longpoll"})))
    assert "notice  workers[0].transports[0].paths.old" in out


def test_check_tells_of_secrets_in_the_clear_without_them(tmp_path):
    principals = {"joe": {"ticket": "hush"}, "ann": {"ticket": "${HOME}"}}
    service = {"type": "websocket", "auth": {"ticket": {"type": "static", "principals": principals}}}
    out, err = run("check", written(tmp_path, node(ws=service)))
    assert "transports[0].paths.ws.auth.ticket.principals.joe.ticket\n" in out
    assert "ann" not in out
    assert "hush" not in out + err


def test_check_tells_every_fault_and_fails(tmp_path):
    paths = {f"p{number}": {"type": "x"} for number in range(300)}
    message, out = refused("check", written(tmp_path, node(**paths)))
    assert "300 faults" in message
    assert out.count("fault   ") == 300


@pytest.mark.parametrize("path", ["missing", "a\x00b", "."])
def test_check_of_what_is_no_configuration_fails(tmp_path, path):
    message, out = refused("check", f"{tmp_path}/{path}")
    assert "1 fault" in message
    assert "fault" in out


def test_check_needs_no_database(tmp_path):
    run("check", written(tmp_path, {}))


def test_check_of_a_broken_text_fails(tmp_path):
    (tmp_path / "config.json").write_text("{,}")
    assert "not valid JSON: line 1" in refused("check", tmp_path)[1]


HIDDEN = "the pages of Django, the admin among them, cannot be reached on this port"


@pytest.mark.parametrize(
    ("paths", "is_told"),
    [
        ({"/": {"type": "nodeinfo"}}, True),
        ({"/": {"type": "path", "paths": {"/": {"type": "nodeinfo"}}}}, True),
        ({"a": {"type": "nodeinfo"}}, False),
    ],
)
@pytest.mark.django_db
def test_service_that_hides_the_admin_is_told(tmp_path, paths, is_told):
    file = written(tmp_path, node(**paths))
    for out, _ in (run("check", file), run("import", file, "--dry-run"), run("import", file), run("check")):
        assert (HIDDEN in out) is is_told
        assert out.count("notice") >= is_told


def test_websocket_transport_hides_no_pages(tmp_path):
    transport = {"type": "websocket", "endpoint": {"type": "tcp", "port": 8080}}
    mapping = {"version": 2, "workers": [{"type": "router", "transports": [transport]}]}
    assert HIDDEN not in run("check", written(tmp_path, mapping))[0]


def test_init_tells_that_its_node_hides_the_admin(tmp_path):
    out, _ = run("init", tmp_path)
    assert "the pages of Django, the admin among them, cannot be reached on its port" in out


@pytest.mark.django_db
def test_check_without_a_path_checks_the_database():
    store.replace(node(old={"type": "longpoll"}))
    out, _ = run("check")
    assert "notice  workers[0].transports[0].paths.old" in out
    assert "database: no faults" in out
    for _ in range(2):
        Transport.objects.create(endpoint_type="tcp", port="80")
    message, out = refused("check")
    assert "database: 1 fault" in message
    assert "listens on the same port" in out


@pytest.mark.django_db
def test_check_without_a_path_finds_unknown_roles_of_django_users():
    store.replace(node(ws={"type": "websocket"}))
    UserRole.objects.create(kind="staff", role="anonymous")
    UserRole.objects.create(kind="everybody")
    assert "no faults" in run("check")[0]
    UserRole.objects.create(kind="everybody", role="clerk")
    UserRole.objects.create(kind="staff", realm="office", role="anonymous")
    message, out = refused("check")
    assert "database: 2 faults" in message
    assert '(every active user: clerk): no realm has the role "clerk"; the roles are: anonymous' in out
    assert '(staff: anonymous): there is no realm "office"; there are: realm1' in out


@pytest.mark.django_db
def test_check_without_a_path_checks_the_configuration_in_the_settings(tmp_path):
    with override_settings(WAMP_TRANSPORT={"CONFIG": written(tmp_path, node(ws={"type": "websocket"}))}):
        assert f"{tmp_path / 'config.json'}: no faults" in run("check")[0]


@pytest.mark.django_db
def test_check_looks_at_the_cluster(tmp_path):
    cookie = {"store": {"type": "memory"}}
    file = written(tmp_path, node(ws={"type": "websocket", "cookie": cookie}))
    cluster = {"NAME": "shop", "URL": "redis://:password@127.0.0.1:1/0"}
    with override_settings(WAMP_TRANSPORT={"CONFIG": file, "CLUSTER": cluster}):
        message, out = refused("check")
    assert ": 1 fault" in message
    assert "the nodes of a cluster do not share a cookie store of type 'memory'" in out
    assert "The Redis server of the cluster was not checked: " in out
    assert ":password" not in out
    with override_settings(WAMP_TRANSPORT={"CONFIG": file}):
        assert "no faults" in run("check")[0]
    with override_settings(WAMP_TRANSPORT={"CLUSTER": {"NAME": "shop", "URL": "redis://127.0.0.1:x"}}):
        message, out = refused("check")
    assert "['CLUSTER']['URL']" in out


# --- import ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_import_and_export_give_the_same(tmp_path):
    file = written(tmp_path, node(ws={"type": "websocket", "cookie": {"length": 6}}))
    out, _ = run("import", file)
    assert "+ realm realm1" in out
    assert "+ transport tcp:8080" in out
    assert "+ service tcp:8080/ws" in out
    assert "notice" in out
    assert f"Imported as revision {store.revision()}" in out
    # Realms in files speak Crossbar's dialect unless they name another one; in the database, each says which it speaks.
    assert json.loads(run("export")[0]) == with_dialect(json.loads(file.read_text()), "crossbar")


@pytest.mark.django_db
def test_import_over_a_configuration_wants_replace(tmp_path):
    store.replace(node(old={"type": "nodeinfo"}))
    file = written(tmp_path, node(new={"type": "nodeinfo"}))
    message, out = refused("import", file)
    assert "--replace" in message
    assert "- service tcp:8080/old" in out
    assert [one.path for one in store.load(".").services] == ["/old"]
    run("import", file, "--replace")
    assert [one.path for one in store.load(".").services] == ["/new"]


@pytest.mark.django_db
def test_import_dry_run_shows_and_changes_nothing(tmp_path):
    out, _ = run("import", written(tmp_path, node(ws={"type": "websocket"})), "--dry-run")
    assert "+ service tcp:8080/ws" in out
    assert store.is_empty()


@pytest.mark.django_db
def test_import_of_the_same_shows_no_change(tmp_path):
    file = written(tmp_path, node(ws={"type": "websocket"}))
    run("import", file)
    assert "No transport, service or realm changes." in run("import", file, "--replace")[0]


@pytest.mark.django_db
def test_import_shows_what_is_changed(tmp_path):
    run("import", written(tmp_path, node(ws={"type": "websocket"})))
    changed = node(ws={"type": "websocket", "options": {"max_frame_size": 5}})
    assert "~ service tcp:8080/ws" in run("import", written(tmp_path, changed), "--replace")[0]


@pytest.mark.django_db
def test_import_of_faults_tells_all_and_changes_nothing(tmp_path):
    message, out = refused("import", written(tmp_path, FAULTY))
    assert "2 faults" in message
    assert out.count("fault   ") == 2
    assert store.is_empty()


@pytest.mark.django_db
def test_import_of_what_no_column_holds_is_refused(tmp_path):
    message, out = refused("import", written(tmp_path, node(a={"type": "json", "value": "\x00"})))
    assert "1 fault" in message
    assert "U+0000" in out


@pytest.mark.django_db
def test_import_keeps_the_meaning_of_relative_paths(tmp_path):
    (tmp_path / "files").mkdir()
    out, _ = run("import", written(tmp_path, node(files={"type": "static", "directory": "files"})))
    assert f"Relative paths are resolved from {tmp_path}" in out
    assert store.load("/").resolve("files") == tmp_path / "files"


@pytest.mark.django_db
def test_import_over_faulty_rows_replaces_them(tmp_path):
    for _ in range(2):
        Transport.objects.create(endpoint_type="tcp", port="80")
    out, _ = run("import", written(tmp_path, node()), "--replace")
    assert "The stored configuration has faults" in out
    assert len(store.load(".").transports) == 1


@pytest.mark.parametrize("args", [["import"], ["import", "--dry-run"], ["export"], ["check"]])
def test_commands_before_migrate_say_so(tmp_path, no_tables, args):  # noqa: F811 - the fixture
    path = [written(tmp_path, {})] if args[0] == "import" else []
    message, _ = refused(*args, *path)
    assert "run `manage.py migrate`" in message


# --- export ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_export_writes_a_file_that_can_be_read(tmp_path):
    store.replace(node(ws={"type": "json", "value": "ü"}))
    out, err = run("export", tmp_path / "out.json")
    assert out == ""
    assert "Written to" in err
    assert json.loads((tmp_path / "out.json").read_text()) == with_dialect(store.to_mapping(), "specification")
    assert [realm.options.dialect for realm in read_file(tmp_path / "out.json").realms] == ["specification"]
    assert [one.path for one in read_file(tmp_path / "out.json").services] == ["/ws"]


@pytest.mark.django_db
def test_export_over_a_file_keeps_its_mode(tmp_path):
    file = tmp_path / "out.json"
    file.write_text("old")
    file.chmod(0o640)
    run("export", file)
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.django_db
def test_export_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "out.json"
    file.write_text("old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    message, _ = refused("export", file)
    assert "No space left on device" in message
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.django_db
@pytest.mark.parametrize("target", ["missing/out.json", "."])
def test_export_to_where_no_file_can_be_says_why(tmp_path, target):
    message, _ = refused("export", tmp_path / target)
    assert "cannot be written" in message


@pytest.mark.django_db
def test_export_names_what_it_leaves_out():
    store.replace(node())
    Transport.objects.update(enabled=False)
    assert "disabled: tcp:8080" in run("export")[1]


# --- the command itself ----------------------------------------------------------------------------------------------


def test_reference_is_the_page_or_the_schema(tmp_path):
    assert run("schema")[0].startswith("# Configuration reference")
    run("schema", tmp_path / "schema.json", "--json-schema")
    assert "properties" in json.loads((tmp_path / "schema.json").read_text())


@pytest.mark.parametrize("subcommand", SUBCOMMANDS, ids=lambda one: one.name)
def test_every_subcommand_has_a_help_text(subcommand, capsys):
    with pytest.raises(SystemExit) as caught:
        Command().run_from_argv(["manage.py", "wamp", subcommand.name, "--help"])
    assert caught.value.code == 0
    assert subcommand.help[:20] in capsys.readouterr().out


def test_unknown_subcommand_exits_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        Command().run_from_argv(["manage.py", "wamp", "frobnicate"])
    assert caught.value.code == 2


def test_fault_exits_with_1_and_without_a_traceback(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        Command().run_from_argv(["manage.py", "wamp", "check", str(written(tmp_path, FAULTY))])
    assert caught.value.code == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.django_db
def test_faulty_settings_do_not_stop_the_command(tmp_path, settings):
    settings.WAMP_TRANSPORT = {"CONFIG": FAULTY}
    with pytest.raises(SystemCheckError):
        call_command("check", stderr=io.StringIO())
    run("check", written(tmp_path, {}))


@pytest.mark.django_db
def test_explain_names_the_rule_and_its_row():
    store.replace(node(ws={"type": "websocket"}))
    place = "workers[0].realms[0].roles[0].permissions[0]"
    text, _ = run("explain", "realm1", "call", "com.x", "--role", "anonymous")
    row = PermissionRule.objects.get()
    assert 'may call "com.x"' in text
    assert f'decides  {place}: prefix "" allows call, subscribe' in text
    assert f"{place} is permission {row.pk} in the database" in text
    told = json.loads(run("explain", "realm1", "publish", "com.x", "--role", "anonymous", "--json")[0])
    assert (told["outcome"], told["rule"]["path"], told["rows"]) == ("denied", place, {place: row.pk})


@pytest.mark.django_db
def test_explain_takes_the_role_of_a_stored_principal(tmp_path):
    file = written(tmp_path, node(ws={"type": "websocket"}))
    Principal.objects.create(realm="realm1", authid="alice", role="anonymous")
    args = ("explain", "realm1", "subscribe", "com.", "--match", "prefix", "--config", file)
    assert "may subscribe prefix" in run(*args, "--principal", "alice")[0]
    assert "no Django user named 'bob'" in refused(*args, "--principal", "bob")[0]


@pytest.mark.django_db
def test_explain_knows_principals_of_the_configuration_and_users(tmp_path):
    principals = {"one": {"ticket": "x", "authid": "alice", "role": "anonymous"}}
    mapping = node(ws={"type": "websocket", "auth": {"ticket": {"type": "static", "principals": principals}}})
    mapping["workers"][0]["realms"][0]["roles"].append({"name": "clerk"})
    args = ("explain", "realm1", "subscribe", "com.x", "--config", written(tmp_path, mapping), "--principal")
    assert "Role anonymous" in run(*args, "alice")[0]
    User.objects.create_user("alice")
    User.objects.create_user("bob")
    UserRole.objects.create(kind="everybody", role="clerk")
    assert "Role clerk of realm realm1 may not" in run(*args, "bob")[0]
    assert refused(*args, "alice")[0] == (
        "'alice' has more than one role in realm 'realm1': anonymous (ticket at tcp:8080/ws), clerk (Django user); "
        "use --role"
    )


def test_explain_fails_where_another_outcome_is_expected(tmp_path):
    args = ("explain", "realm1", "publish", "com.x", "--role", "anonymous", "--config", written(tmp_path, node()))
    run(*args, "--expect", "denied")
    message, text = refused(*args, "--expect", "allowed")
    assert message == "expected it to be allowed, but it is denied"
    assert "may not publish" in text


def test_explain_of_what_is_not_there_says_what_is(tmp_path):
    file = written(tmp_path, node())
    rest = ("call", "com.x", "--config", file, "--role")
    assert "there are: realm1" in refused("explain", "nowhere", *rest, "anonymous")[0]
    assert "it has: anonymous" in refused("explain", "realm1", *rest, "nobody")[0]
    assert "fault" in refused("explain", "realm1", "call", "x", "--role", "a", "--config", written(tmp_path, FAULTY))[1]


def test_check_tells_rules_that_never_decide(tmp_path):
    mapping = node()
    mapping["workers"][0]["realms"][0]["roles"][0]["permissions"] += [{"uri": "a.*.c", "allow": {"call": True}}]
    text, _ = run("check", written(tmp_path, mapping))
    assert 'notice  workers[0].realms[0].roles[0].permissions[1]: has no effect, as permissions[0] (prefix "")' in text
