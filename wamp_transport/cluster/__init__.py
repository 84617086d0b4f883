"""The links between nodes that combine several processes into one router."""
