"""Errors of TLS, in words for people: what is wrong with a certificate, and how to fix it."""

import re
import ssl

_UNKNOWN_CA = frozenset({18, 19, 20, 21})
"""OpenSSL's codes of certificates that are self-signed, or signed by nobody who is trusted."""

_NOISE = re.compile(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$")
"""What OpenSSL's errors have around their text."""


def ssl_text(error: ssl.SSLError) -> str:
    """Return what OpenSSL says, without where in its source it says so."""
    return _NOISE.sub("", error.strerror or str(error))


def certificate_text(error: ssl.SSLCertVerificationError, how_to_trust: str) -> str:
    """Return why the certificate of a server is not accepted.

    Args:
        error: the error.
        how_to_trust: how to accept what another CA has signed, as an instruction.
    """
    how = f": {how_to_trust}" if error.verify_code in _UNKNOWN_CA else ""
    return f"has a certificate that is not accepted: {error.verify_message.rstrip('.')}{how}"
