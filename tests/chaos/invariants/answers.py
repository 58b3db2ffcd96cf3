"""An answer that was given once is given again, and what was final stays so."""

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.case import Case, Violation
from tests.chaos.evidence import Followed

_SAME = ("cmd", "item", "token", "http", "ver", "code", "digest")
_ABSENT = 404
_FINAL = {"applied", "unchanged", "rejected"}


def repeats(case: Case) -> Iterator[Violation]:
    """I14: all answers to one command agree; another payload under its key is refused."""
    for tok, command in case.evidence.commands.items():
        for name in _SAME:
            # The times in a body are those of the ledger, which a set-back takes anew.
            if name in {"token", "digest"} and case.set_back:
                continue
            said = {each.row[name] for each in command.known if each.row.get(name) is not None}
            if len(said) > 1:
                yield Violation("I14", f"{tok} was answered with {name} {sorted(map(str, said))}")
        if any(each.row["st"] == "reused" for each in command.answers) and "!" not in tok:
            yield Violation("I14", f"{tok} was refused as another payload under its own key")


def followed(case: Case) -> Iterator[Violation]:
    """I14: an acknowledged command is never unknown, its outcome never changes and is the kept
    one.
    """
    looks: dict[str, list[Followed]] = defaultdict(list)
    for look in case.evidence.followed:
        looks[look.id].append(look)
    for command_id, seen in looks.items():
        outcome = case.outcomes.get(command_id)
        lost = any(
            position.inside(gap)
            for position in case.positions.get(command_id, ())
            for gap in case.lost
        )
        final = {(each.said, each.http, each.version) for each in seen if each.said in _FINAL}
        if len(final) > 1:
            yield Violation("I14", f"the outcome of {command_id} has changed: {sorted(final)}")
        if outcome is not None:
            for said, http, version in final:
                tag = None if version is None else int(version.strip('"'))
                if (said, http) != (outcome.status, outcome.http_status) or (
                    tag is not None and tag != outcome.version
                ):
                    yield Violation(
                        "I14", f"{command_id} was told as {said} {http} {version}, not {outcome}"
                    )
        if not lost and not case.set_back and any(each.status == _ABSENT for each in seen):
            yield Violation("I14", f"{command_id} was acknowledged, and then not known")
        once_final = False
        for each in seen:
            if once_final and each.said not in _FINAL and not case.set_back:
                yield Violation("I14", f"{command_id} was final, and then {each.said}")
            once_final = once_final or each.said in _FINAL
