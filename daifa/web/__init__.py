"""The web door: pages that translate a request into one call and its answer into HTML."""
