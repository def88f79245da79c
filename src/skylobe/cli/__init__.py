"""The command line: what each command is called, takes and prints."""
