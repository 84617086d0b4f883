"""The one place that wires configuration, stores, router, node and services together."""
