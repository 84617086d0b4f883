"""What the subcommands share that speak to a running router: whom to reach, as whom, and what to write of it."""
