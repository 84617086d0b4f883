"""The elements of the WAMP protocol: messages, payload, URIs, ids, features and errors."""
