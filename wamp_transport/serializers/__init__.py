"""Serializers, which encode and decode messages: one module per WebSocket subprotocol."""
