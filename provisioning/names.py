"""Which names a store may have.

The name becomes a host name, a namespace and a Helm release (`store-<name>`), so it is a DNS label (RFC 1123), and
short enough for Helm, whose release names end at 53 characters.
"""

import re

PREFIX = "store-"
LONGEST = 53 - len(PREFIX)
PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")

RESERVED = frozenset(
    "admin api app assets auth blog cdn dashboard docs ftp grafana health help imap ingress internal kube-system "
    "localhost login mail metrics ns1 ns2 pop smtp sso static status storefleet support system test webmail www".split()
)
"""Host names that visitors would take for the platform's own."""


def namespace(name: str) -> str:
    """The namespace, and Helm release, of the store called `name`."""
    return PREFIX + name


def problem(name: str) -> str | None:
    """What is wrong with `name`, as a sentence that says what to change; None when it may be used."""
    if not name:
        return "Give the store a name."
    if len(name) > LONGEST:
        return f"The name has {len(name)} characters; at most {LONGEST} fit into an address."
    if name != name.lower():
        return "Use lower-case letters only."
    if name.startswith("-") or name.endswith("-"):
        return "A name starts and ends with a letter or a digit, not with a dash."
    if not PATTERN.fullmatch(name):
        return "Use only the letters a to z, digits and dashes."
    if name in RESERVED:
        return f"“{name}” is reserved for the platform. Choose another name."
    return None
