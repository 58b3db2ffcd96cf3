"""`itemledger doctor`: each check takes facts and gives a finding; only `look` asks anybody."""
