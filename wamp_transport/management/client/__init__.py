"""Shared code of the subcommands that connect to a router: target, credentials, session, output."""
