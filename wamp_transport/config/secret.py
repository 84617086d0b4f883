"""Secrets in a configuration. They are never displayed, and are given directly or in an environment variable."""

import hmac
import secrets
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from wamp_transport.config.environment_variables import environment_of, variable_name

_MARK: Final = secrets.token_bytes(32)
"""The key with which secrets are hashed for comparison. It is random, so the hashes are valid only in this process."""


class Secret:
    """A secret text. Only :meth:`reveal` returns it.

    In a configuration, ``"${NAME}"`` refers to the environment variable NAME.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self.mark())

    def mark(self) -> str:
        """Return a hash for comparison.

        Equal secrets have equal hashes in this process. The hash does not reveal the secret.
        """
        return hmac.new(_MARK, self._text.encode(), "sha256").hexdigest()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _secret, serialization=core_schema.plain_serializer_function_ser_schema(cls.mark)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1, "writeOnly": True}


def is_reference(value: object) -> bool:
    """Return whether ``value`` has the form ``"${NAME}"``.

    ``"$NAME"`` is not a reference, because it could be a password.
    """
    return isinstance(value, str) and value.startswith("${") and variable_name(value) is not None


def _secret(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("config", "expected a secret as text, or ${{NAME}} for an environment variable")
    if is_reference(value):
        name = variable_name(value) or ""
        value = environment_of(info).get(name)
        if not value:
            raise PydanticCustomError("config", "environment variable {name} is not set, or empty", {"name": name})
    if not value:
        raise PydanticCustomError("config", "expected a secret, found an empty text")
    return Secret(value)
