"""The ledger as others follow it: changes, the forms they come in, and what these say."""
