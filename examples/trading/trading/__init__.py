"""A small trading application: indicators, backtests, an order store, a price feed, an HTTP API and reports.

Everything here is the standard library. Prices are integers, in cents, so that sums are exact.
"""
