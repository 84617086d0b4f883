"""Update help texts and verbose names. The tables do not change."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from wamp_transport.models.optional_apps import has_users, user_reference


class Migration(migrations.Migration):
    dependencies = [
        ("wamp_transport", "0008_standard_names"),
        *([migrations.swappable_dependency(settings.AUTH_USER_MODEL)] if has_users() else []),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="permissionrule",
            options={
                "ordering": ["role", "id"],
                "verbose_name": "permission rule",
                "verbose_name_plural": "permission rules",
            },
        ),
        migrations.AlterModelOptions(
            name="runningnode",
            options={"ordering": ["name"], "verbose_name": "running node", "verbose_name_plural": "running nodes"},
        ),
        migrations.AlterModelOptions(
            name="storedevent",
            options={"ordering": ["id"], "verbose_name": "stored event", "verbose_name_plural": "stored events"},
        ),
        migrations.AlterModelOptions(
            name="webpath",
            options={"ordering": ["transport", "path", "id"], "verbose_name": "path", "verbose_name_plural": "paths"},
        ),
        migrations.AlterField(
            model_name="configurationstate",
            name="base_dir",
            field=models.TextField(
                blank=True,
                help_text="Start of relative paths: the directory of the imported file.",
                verbose_name="base directory",
            ),
        ),
        migrations.AlterField(
            model_name="configurationstate",
            name="revision",
            field=models.PositiveBigIntegerField(default=0, verbose_name="revision"),
        ),
        migrations.AlterField(
            model_name="credential",
            name="expires_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Time from which the credential is not accepted. Empty: never.",
                null=True,
                verbose_name="expires at",
            ),
        ),
        migrations.AlterField(
            model_name="credential",
            name="label",
            field=models.CharField(
                blank=True,
                help_text="A note for people, for example where the credential is used.",
                max_length=100,
                verbose_name="label",
            ),
        ),
        migrations.AlterField(
            model_name="credential",
            name="method",
            field=models.CharField(
                choices=[
                    ("ticket", "ticket: the client sends the secret"),
                    ("wampcra", "WAMP-CRA: the client answers a challenge"),
                    ("wamp-scram", "SCRAM with Argon2id as in the specification (wamp-scram)"),
                    ("scram", "SCRAM with Argon2id as in Autobahn and Crossbar (scram)"),
                    ("scram-pbkdf2", "SCRAM with PBKDF2 (wamp-scram and scram)"),
                    ("cryptosign", "cryptosign: a public key"),
                    ("tls", "TLS client certificate: its fingerprint"),
                ],
                max_length=20,
                verbose_name="method",
            ),
        ),
        migrations.AlterField(
            model_name="permissionrule",
            name="cache",
            field=models.BooleanField(
                blank=True,
                help_text="Accepted for compatibility with Crossbar; it has no effect here.",
                null=True,
                verbose_name="cache",
            ),
        ),
        migrations.AlterField(
            model_name="permissionrule",
            name="disclose_caller",
            field=models.BooleanField(
                blank=True, help_text="Disclose the caller to callees.", null=True, verbose_name="disclose caller"
            ),
        ),
        migrations.AlterField(
            model_name="permissionrule",
            name="disclose_publisher",
            field=models.BooleanField(
                blank=True,
                help_text="Disclose the publisher to subscribers.",
                null=True,
                verbose_name="disclose publisher",
            ),
        ),
        migrations.AlterField(
            model_name="permissionrule",
            name="match",
            field=models.CharField(
                blank=True,
                choices=[("exact", "exact"), ("prefix", "prefix"), ("wildcard", "wildcard")],
                help_text="If not chosen, the stars in the URI decide; without a star the match is exact.",
                max_length=10,
                verbose_name="match",
            ),
        ),
        migrations.AlterField(
            model_name="permissionrule",
            name="settings",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="All keys that have no field of their own, as in config.json. Missing keys have their defaults.",
                verbose_name="settings",
            ),
        ),
        migrations.AlterField(
            model_name="permissionrule",
            name="uri",
            field=models.TextField(
                blank=True,
                help_text="URI or pattern. If no match is chosen, a final * means prefix, and * for a whole component means wildcard.",
                verbose_name="URI",
            ),
        ),
        migrations.AlterField(
            model_name="principal",
            name="authextra",
            field=models.JSONField(
                blank=True,
                default=None,
                help_text="A JSON object that is sent to its clients in WELCOME.",
                null=True,
                verbose_name="extra",
            ),
        ),
        migrations.AlterField(
            model_name="principal",
            name="authid",
            field=models.CharField(
                help_text="Name with which the principal logs in.", max_length=255, verbose_name="authid"
            ),
        ),
        migrations.AlterField(
            model_name="principal",
            name="expires_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Time from which the principal cannot log in. Empty: never.",
                null=True,
                verbose_name="expires at",
            ),
        ),
        migrations.AlterField(
            model_name="principal",
            name="is_active",
            field=models.BooleanField(
                default=True,
                help_text="A principal that is not active cannot log in, and its sessions are closed.",
                verbose_name="active",
            ),
        ),
        migrations.AlterField(
            model_name="principal",
            name="realm",
            field=models.CharField(
                help_text="Name of the realm that this principal belongs to.", max_length=255, verbose_name="realm"
            ),
        ),
        migrations.AlterField(
            model_name="principal",
            name="role",
            field=models.CharField(
                help_text="Name of the role of its sessions in the realm.", max_length=255, verbose_name="role"
            ),
        ),
        migrations.AlterField(
            model_name="principal",
            name="user",
            field=models.ForeignKey(
                blank=True,
                help_text="Optional owner. Handlers get this user, and deleting the user deletes the principal.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                **user_reference("principal"),
                verbose_name="Django user",
            ),
        ),
        migrations.AlterField(
            model_name="realm",
            name="name",
            field=models.CharField(
                help_text="For example realm1: 3 to 255 letters, digits and _ - @ . starting with a letter.",
                max_length=255,
                unique=True,
                verbose_name="name",
            ),
        ),
        migrations.AlterField(
            model_name="realm",
            name="settings",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="All keys that have no field of their own, as in config.json. Missing keys have their defaults.",
                verbose_name="settings",
            ),
        ),
        migrations.AlterField(
            model_name="realm",
            name="worker",
            field=models.PositiveSmallIntegerField(
                blank=True,
                editable=False,
                help_text="The worker in the imported file.",
                null=True,
                verbose_name="worker",
            ),
        ),
        migrations.AlterField(
            model_name="role",
            name="allow_by_default",
            field=models.BooleanField(
                blank=True,
                help_text="Only for a role without permissions: allow every action on every URI.",
                null=True,
                verbose_name="allow everything",
            ),
        ),
        migrations.AlterField(
            model_name="role",
            name="name",
            field=models.CharField(
                help_text="Clients without credentials get the role anonymous unless the service configures another one.",
                max_length=255,
                verbose_name="name",
            ),
        ),
        migrations.AlterField(
            model_name="role",
            name="settings",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="All keys that have no field of their own, as in config.json. Missing keys have their defaults.",
                verbose_name="settings",
            ),
        ),
        migrations.AlterField(
            model_name="runningnode",
            name="apply_count",
            field=models.PositiveBigIntegerField(
                default=0,
                help_text="Number of configurations that the process has applied.",
                verbose_name="configurations applied",
            ),
        ),
        migrations.AlterField(
            model_name="runningnode",
            name="operator_salt",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="Salt from which, with SECRET_KEY, the key of its operators is derived.",
                max_length=64,
            ),
        ),
        migrations.AlterField(
            model_name="runningnode",
            name="revision",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="Revision that the node has applied. Empty if a file or the settings configure the node.",
                null=True,
                verbose_name="revision",
            ),
        ),
        migrations.AlterField(
            model_name="runningnode",
            name="services",
            field=models.JSONField(
                blank=True, default=list, editable=False, help_text="Addresses of its WAMP services on its own host."
            ),
        ),
        migrations.AlterField(
            model_name="trackedcookie",
            name="id",
            field=models.CharField(
                help_text="Public id; the authid of anonymous sessions.",
                max_length=40,
                primary_key=True,
                serialize=False,
                verbose_name="id",
            ),
        ),
        migrations.AlterField(
            model_name="transport",
            name="backlog",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Maximum number of connections that wait to be accepted, 1 to 65535. Empty: 50.",
                null=True,
                verbose_name="backlog",
            ),
        ),
        migrations.AlterField(
            model_name="transport",
            name="enabled",
            field=models.BooleanField(
                default=True,
                help_text="A transport that is not enabled stays stored but does not listen.",
                verbose_name="enabled",
            ),
        ),
        migrations.AlterField(
            model_name="transport",
            name="endpoint_type",
            field=models.CharField(
                blank=True,
                choices=[("tcp", "TCP port"), ("unix", "Unix domain socket")],
                help_text="If not chosen: TCP port 8080 on 127.0.0.1. An address given to runserver takes precedence.",
                max_length=10,
                verbose_name="listen on",
            ),
        ),
        migrations.AlterField(
            model_name="transport",
            name="interface",
            field=models.CharField(
                blank=True,
                help_text="Address to listen on, for example 127.0.0.1 or ::1. Empty: all interfaces.",
                max_length=255,
                verbose_name="interface",
            ),
        ),
        migrations.AlterField(
            model_name="transport",
            name="order",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Transports are sorted by this number; those with the same number, by age.",
                verbose_name="order",
            ),
        ),
        migrations.AlterField(
            model_name="transport",
            name="settings",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="All keys that have no field of their own, as in config.json. Missing keys have their defaults.",
                verbose_name="settings",
            ),
        ),
        migrations.AlterField(
            model_name="transport",
            name="worker",
            field=models.PositiveSmallIntegerField(
                blank=True,
                editable=False,
                help_text="The worker in the imported file.",
                null=True,
                verbose_name="worker",
            ),
        ),
        migrations.AlterField(
            model_name="userrole",
            name="order",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Lines are tried in the order of this number; those with the same number, by age.",
                verbose_name="order",
            ),
        ),
        migrations.AlterField(
            model_name="userrole",
            name="permission",
            field=models.CharField(
                blank=True,
                help_text="Name of a Django permission, for example shop.change_order.",
                max_length=255,
                verbose_name="permission",
            ),
        ),
        migrations.AlterField(
            model_name="userrole",
            name="role",
            field=models.CharField(
                blank=True,
                help_text="Name of the role that these users get. Empty: they may not join.",
                max_length=255,
                verbose_name="role",
            ),
        ),
        migrations.AlterField(
            model_name="webpath",
            name="path",
            field=models.CharField(
                help_text="Full path, for example ws or app/ws. The root / gets all requests that match no other path.",
                max_length=500,
                validators=[
                    django.core.validators.RegexValidator(
                        "^(/|[a-zA-Z0-9_\\-]+(/[a-zA-Z0-9_\\-]+)*)\\Z",
                        "Enter segments of letters, digits, _ and - with / between them, or / alone for the root.",
                    )
                ],
                verbose_name="path",
            ),
        ),
        migrations.AlterField(
            model_name="webpath",
            name="settings",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="All keys that have no field of their own, as in config.json. Missing keys have their defaults.",
                verbose_name="settings",
            ),
        ),
        migrations.AlterConstraint(
            model_name="principal",
            name="wamp_transport_principal_once",
            constraint=models.UniqueConstraint(
                fields=("realm", "authid"),
                name="wamp_transport_principal_once",
                violation_error_message="This realm already has a principal with this authid.",
            ),
        ),
        migrations.AlterConstraint(
            model_name="role",
            name="wamp_transport_role_once",
            constraint=models.UniqueConstraint(
                fields=("realm", "name"),
                name="wamp_transport_role_once",
                violation_error_message="This realm already has a role with this name.",
            ),
        ),
    ]
