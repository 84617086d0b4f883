"""The vocabulary of the protocol: messages, payload, URIs, ids, features and errors."""
