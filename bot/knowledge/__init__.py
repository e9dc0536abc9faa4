"""The knowledge base as it is edited while it answers."""
