"""Sizes as people read them."""

_KIB = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def size(octets: int) -> str:
    """Write how many bytes something has, in the largest unit of which it has one."""
    if octets < _KIB:
        return f"{octets} B"
    amount = float(octets)
    for unit in _UNITS[:-1]:
        amount /= _KIB
        # As it is written: 1023.96 would be 1,024.0.
        if round(amount, 1) < _KIB:
            return f"{amount:,.1f} {unit}"
    return f"{amount / _KIB:,.1f} {_UNITS[-1]}"
