"""The trained finder: what it sees, how it decides, how it is trained."""
