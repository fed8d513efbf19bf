"""The parity tool: run pinned real suites serially and in parallel, and say what differs and whose fault it is.

The modules depend on each other in this order only: ``model`` <- ``catalogue``, ``rules``, ``records``, ``junit``
<- ``compare`` <- ``classify``; ``environment`` and ``runner`` touch the disk and start processes, ``report`` prints.
"""
