"""What the command line does; `gateway/__main__.py` says how it is called."""
