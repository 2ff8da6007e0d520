"""What the agent says to systemd, and asks of it."""
