"""Receivers of signals as a typed project writes them."""

from typing import assert_type

from django.dispatch import receiver

from wamp_transport.signals import (
    AppliedConfiguration,
    LoginFailure,
    SessionInfo,
    configuration_applied,
    login_failed,
    session_joined,
    session_left,
    slow_consumer_detected,
)


@receiver(session_joined)
def joined(session: SessionInfo, **kwargs: object) -> None:
    assert_type(session.user_pk, str | None)


@receiver(session_left)
async def left(session: SessionInfo, reason: str, **kwargs: object) -> None:
    assert_type(session.realm, str)


@receiver(login_failed)
def failed(failure: LoginFailure, **kwargs: object) -> None:
    assert_type(failure.authid, str | None)


@receiver(slow_consumer_detected)
def slow(session: SessionInfo, queued_bytes: int | None, **kwargs: object) -> None:
    assert_type(session.is_local, bool)


@receiver(configuration_applied)
def applied(configuration: AppliedConfiguration, **kwargs: object) -> None:
    assert_type(configuration.apply_count, int)
    assert_type(configuration.revision, int | None)
