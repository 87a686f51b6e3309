"""Requests made up from the OpenAPI document against a real server, as everybody who may ask: `python -m fuzz`."""
