"""The configuration: its schema, functions that read and validate it, and the typed result."""

from wamp_transport.config.configuration import (
    Configuration,
    Difference,
    PathService,
    Transport,
    anonymous_login,
    diff,
    router_options,
    service_options,
)
from wamp_transport.config.defaults import development_default, template, with_builtin_service
from wamp_transport.config.reader import read_file, read_mapping, read_text
from wamp_transport.config.report import ConfigError, Problem, Report

__all__ = [
    "ConfigError",
    "Configuration",
    "Difference",
    "PathService",
    "Problem",
    "Report",
    "Transport",
    "anonymous_login",
    "development_default",
    "diff",
    "read_file",
    "read_mapping",
    "read_text",
    "router_options",
    "service_options",
    "template",
    "with_builtin_service",
]
