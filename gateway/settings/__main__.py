"""Write the table of settings to standard output."""

from gateway.settings.table import table

print(table(), end="")
