from ledger.accounts import Account, transfer

__all__ = ["Account", "transfer"]
