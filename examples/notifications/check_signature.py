"""Whether a POST comes from steward: what a receiver of its webhooks does first. Python 3, nothing else.

    if not is_genuine(headers["Steward-Signature"], body, key):
        return 403

`body` is the body as it came, in bytes, before anything has parsed it; `key` is the channel's `secret`, in bytes.
"""
import hashlib
import hmac
import time


def is_genuine(signature, body, key, now=None, tolerance=300):
    """`signature`: "t=1795402800,v1=…". What was signed more than `tolerance` seconds ago may be somebody's copy."""
    try:
        parts = dict(part.split("=", 1) for part in signature.split(","))
        signed_at = int(parts["t"])
        given = parts["v1"]
    except (AttributeError, KeyError, ValueError):
        return False
    if abs((time.time() if now is None else now) - signed_at) > tolerance:
        return False
    wanted = hmac.new(key, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), given.encode())
