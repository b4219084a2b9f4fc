"""The areas of ci/parity: each yields rows of name, result, note."""
