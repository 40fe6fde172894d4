"""`bench atlas`: ATLAS's own code, with its parts and with ours."""
