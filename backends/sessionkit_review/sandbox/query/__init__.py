"""The query language: words, grammar, SQL."""
