"""What runs inside a template, and inside the workers that are forked from it or started beside it."""
