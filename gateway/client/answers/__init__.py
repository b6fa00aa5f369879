"""What the gateway answers, field by field. Decimals are exact, instants aware and in UTC.

An answer may grow fields that this client does not know; it passes over them. Words such as `status` are
plain text, so that a new word is no error.
"""
