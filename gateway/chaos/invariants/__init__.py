"""What must hold whatever went wrong: each a pure function from evidence to violations in words."""
