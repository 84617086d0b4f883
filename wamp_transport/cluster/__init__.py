"""Node-to-node links that make several processes one router."""
