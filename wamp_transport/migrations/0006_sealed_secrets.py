"""Replace the clear-text secrets in the stored configuration with hashes and derived keys."""

from typing import Any

from django.db import migrations

from wamp_transport.models.configuration import sealed


def seal(apps: Any, schema_editor: Any) -> None:
    for name, is_deep in (("Transport", True), ("PathService", False)):
        rows = apps.get_model("wamp_transport", name)._default_manager.using(schema_editor.connection.alias)
        for row in rows.all():
            kept = sealed(row.settings, is_deep=is_deep)
            if kept != row.settings:
                row.settings = kept
                row.save(update_fields=["settings"])


class Migration(migrations.Migration):
    dependencies = [("wamp_transport", "0005_running_services")]

    operations = [migrations.RunPython(seal, migrations.RunPython.noop)]
