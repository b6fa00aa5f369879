"""The rules of the desk: pure, clockless, standard library only."""
