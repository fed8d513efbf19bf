"""A timeline of a run: what was recorded, and the two ways to write it down."""
