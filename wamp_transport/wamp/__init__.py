"""The protocol's own words: messages, payload, URIs, ids, features and errors. Imports nothing above itself."""
