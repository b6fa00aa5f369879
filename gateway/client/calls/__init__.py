"""What can be asked: one function for each operation of the API, named as the API names it."""
