"""What `outpace doctor` loads into pytest: a plan of what runs where, and a record of what each test touches.

Nothing here is imported by a run that does not ask for it.
"""
