"""Add the optional Django user of a principal."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from wamp_transport.models.optional_apps import has_users, user_reference


class Migration(migrations.Migration):
    dependencies = [
        ("wamp_transport", "0006_sealed_secrets"),
        *([migrations.swappable_dependency(settings.AUTH_USER_MODEL)] if has_users() else []),
    ]

    operations = [
        migrations.AddField(
            model_name="principal",
            name="user",
            field=models.ForeignKey(
                blank=True,
                help_text="Whose program or device it is: handlers get this user, and it goes when the user does. Optional.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                **user_reference("principal"),
                verbose_name="Django user",
            ),
        ),
    ]
