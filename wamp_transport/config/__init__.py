"""The configuration schema, its readers and its checks."""
