"""What is known of a cause of failures, and how a rule that saw one says so.

The causes themselves are the table in `causes`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from provisioning.cluster import Obj
from provisioning.failures.reading import clean, made_at
from provisioning.failures.reason import ADMIN, Finding, Reason

TRIES = 3
"""After so many failures of the same kind, one more try is not worth waiting for."""


class Ends(StrEnum):
    """What becomes of a store that is being provisioned and shows the cause."""

    AT_ONCE = "fails at once"
    AFTER_TRIES = f"fails after {TRIES} tries"
    WAITS = "is waited for"


@dataclass(frozen=True)
class Cause:
    """One row of the table.  `hint` may hold {placeholders}, which `found` fills.

    `usual`: many a start that goes well shows it for a while.
    """

    code: str
    when: str
    ends: Ends
    hint: str
    who: str = ADMIN
    usual: bool = False

    def found(
        self,
        message: str,
        evidence: Sequence[str],
        names: Mapping[str, str] | None = None,
        *,
        tries: int = 0,
        lasting: bool | None = None,
        pod: Obj | None = None,
    ) -> Finding:
        """The finding of this cause.

        `names` fill the hint.  `tries`: how often it failed so far.  `lasting`: where that depends on more than the
        cause.  `pod`: the one that shows it, and that a later attempt replaces before it is judged.
        """
        if lasting is None:
            lasting = self.ends is Ends.AT_ONCE or (self.ends is Ends.AFTER_TRIES and tries >= TRIES)
        hint = self.hint.format_map({name: clean(text) for name, text in (names or {}).items()})
        reason = Reason(self.code, clean(message), self.who, hint, [clean(line) for line in evidence if line][:12])
        if pod is None:
            return Finding(reason, lasting)
        metadata = pod["metadata"]
        return Finding(reason, lasting, str(metadata["name"]), str(metadata["uid"]), made_at(pod))
