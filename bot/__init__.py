"""The conversation: channels, pipeline, policy, templates, forms, handover, console and HTTP API."""
