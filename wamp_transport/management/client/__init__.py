"""The shared code of the subcommands that connect to a router: targets, credentials, sessions and output."""
