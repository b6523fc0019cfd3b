"""One module a page: parse, query, render."""
