"""What a user's type checker makes of the public API: checked by mypy together with the product, never run."""
