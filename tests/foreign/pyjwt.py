"""Tokens by PyJWT, as its documentation shows how to make them.

Reads {"secret", "issuer", "subject"} as JSON; prints {"keys", "tokens"}: the JWKs to publish, and
for each algorithm the tokens by what they are.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

given = json.load(sys.stdin)
ec_key = ec.generate_private_key(ec.SECP256R1())
rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ed_key = ed25519.Ed25519PrivateKey.generate()
signers = {"HS256": given["secret"], "ES256": ec_key, "RS256": rsa_key, "EdDSA": ed_key}


def published(algorithm):
    key = jwt.get_algorithm_by_name(algorithm)
    jwk = key.to_jwk(signers[algorithm].public_key(), as_dict=True)
    return jwk | {"kid": algorithm, "alg": algorithm, "use": "sig"}


def tokens(algorithm):
    now = datetime.now(tz=timezone.utc)
    claims = {
        "iss": given["issuer"],
        "sub": given["subject"],
        "aud": "authenticated",
        "role": "authenticated",
        "iat": now,
        "nbf": now,
        "exp": now + timedelta(hours=1),
    }

    def sign(**changes):
        headers = {"kid": algorithm}
        return jwt.encode(claims | changes, signers[algorithm], algorithm, headers=headers)

    return {
        "valid": sign(),
        "expired": sign(exp=now - timedelta(minutes=5)),
        "for others": sign(aud=["others", "and others"]),
        "service_role": sign(role="service_role"),
    }


json.dump(
    {
        "keys": [published(algorithm) for algorithm in ("ES256", "RS256", "EdDSA")],
        "tokens": {algorithm: tokens(algorithm) for algorithm in signers},
    },
    sys.stdout,
)
