"""Two views of the truth, ours and the broker's, and the events that close the gap."""
