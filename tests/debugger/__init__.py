"""Debuggers in parallel runs, at a terminal and with keys that are typed."""
