"""Tests that hang, in every way, and what a run says and does about them."""
