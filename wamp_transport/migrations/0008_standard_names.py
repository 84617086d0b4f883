"""Rename models and columns. Tables, rows and granted Django permissions are kept."""

from typing import Any

from django.db import migrations

from wamp_transport.models.optional_apps import has_groups

RENAMED = {"permission": "permissionrule", "pathservice": "webpath", "pastevent": "storedevent"}
ACTIONS = ("add", "change", "delete", "view")


def rename_permissions(apps: Any, names: dict[str, str]) -> None:
    """Rename the Django permissions of renamed models, so that users and groups keep theirs."""
    if not has_groups():
        return  # permissions belong to the same app as groups
    Permission = apps.get_model("auth", "Permission")
    for old, new in names.items():
        for action in ACTIONS:
            Permission.objects.filter(content_type__app_label="wamp_transport", codename=f"{action}_{old}").update(
                codename=f"{action}_{new}"
            )


def forwards(apps: Any, schema_editor: Any) -> None:
    rename_permissions(apps, RENAMED)


def backwards(apps: Any, schema_editor: Any) -> None:
    rename_permissions(apps, {new: old for old, new in RENAMED.items()})


class Migration(migrations.Migration):
    dependencies = [
        ("wamp_transport", "0007_principal_user"),
        *([("auth", "0012_alter_user_first_name_max_length")] if has_groups() else []),
    ]

    operations = [
        migrations.RenameModel("Permission", "PermissionRule"),
        migrations.RenameModel("PathService", "WebPath"),
        migrations.RenameModel("PastEvent", "StoredEvent"),
        migrations.RenameField("AuditEntry", "at", "created_at"),
        migrations.RenameField("ConfigurationState", "generation", "revision"),
        migrations.RenameField("RunningNode", "generation", "apply_count"),
        migrations.RunPython(forwards, backwards),
    ]
