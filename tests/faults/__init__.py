"""What outpace does when something dies, is refused, or is not what it should be."""
