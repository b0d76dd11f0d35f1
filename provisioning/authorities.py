"""Whose certificates we believe when we ask a shop or a sign-in provider: the public authorities, this machine's, and
those of SSL_CERT_FILE.  Read once for the process, when first asked for: it takes 40 ms, in which nothing else happens.
"""

import functools
import ssl

import httpx


@functools.cache
def trusted() -> ssl.SSLContext:
    """To verify by; shared, so not to be changed."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()  # OpenSSL's: the machine's, or SSL_CERT_FILE
    return context
