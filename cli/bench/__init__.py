"""`flaneur bench`: one command a benchmark."""
