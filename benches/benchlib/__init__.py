"""The parts of the bench: reading processes, one measured run, the runners, figures and targets."""
