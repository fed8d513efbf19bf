"""Warm runs, in the processes that are kept: what is recorded, and how runs are forked from them.

Imported in these processes only; a run that is not warm pays nothing for it. The server is the binary's.
"""
