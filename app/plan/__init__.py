"""The plan language: model, parser, references, expressions, checker, diff. Pure: no I/O, no clock."""
