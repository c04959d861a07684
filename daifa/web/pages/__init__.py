"""One module a subject; a page is a declaration."""
