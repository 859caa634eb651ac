# SPDX-License-Identifier: GPL-3.0-or-later
"""How the two sides of a session prove that they know the token, without sending it.

Each side makes a nonce, and proves the token by an HMAC over both nonces and the port. A program
that has taken the port of a Blender that is gone learns nothing that it could use, and can't pose
as that Blender. The port keeps a program on another port from handing the proofs on.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

# How long a nonce is, in characters: 32 random bytes in hex.
NONCE_LENGTH = 64


def new_nonce() -> str:
    return secrets.token_hex(NONCE_LENGTH // 2)


def is_nonce(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) == NONCE_LENGTH
        and all(character in "0123456789abcdef" for character in value)
    )


def of_server(token: str, port: int, client_nonce: str, server_nonce: str) -> str:
    """Return the proof that the server sends in `challenge`."""
    return _proof("server", token, port, client_nonce, server_nonce)


def of_client(token: str, port: int, client_nonce: str, server_nonce: str) -> str:
    """Return the proof that the client sends in `proof`."""
    return _proof("client", token, port, client_nonce, server_nonce)


def _proof(side: str, token: str, port: int, client_nonce: str, server_nonce: str) -> str:
    text = f"blendtray 1 {side} {port} {client_nonce} {server_nonce}"
    return hmac.new(token.encode("utf-8"), text.encode("ascii"), hashlib.sha256).hexdigest()


def same(proof: object, expected: str) -> bool:
    """Return whether a proof is the expected one, in a time that tells nothing of it."""
    return isinstance(proof, str) and hmac.compare_digest(
        proof.encode("utf-8", "surrogatepass"), expected.encode("ascii")
    )
