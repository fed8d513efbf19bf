"""What runs inside the controller: the session that owns the terminal and runs no test."""
