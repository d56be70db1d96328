"""PyJWT's decode, timed: what `mod.rs` beside this file runs.

Reads a line of JSON {"algorithm", "secret" or "jwk", "issuer", "tokens", "at_a_time"}; then answers
each empty line with the least seconds that a token took in one walk over all of them.
"""

import json
import sys
import time

import jwt

given = json.loads(sys.stdin.readline())
algorithm, tokens, at_a_time = given["algorithm"], given["tokens"], given["at_a_time"]
key = given["secret"] if algorithm == "HS256" else jwt.PyJWK(given["jwk"]).key
for _ in sys.stdin:
    least = float("inf")
    for start in range(0, len(tokens), at_a_time):
        chunk = tokens[start : start + at_a_time]
        begun = time.perf_counter()
        for token in chunk:
            jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience="authenticated",
                issuer=given["issuer"],
            )
        least = min(least, (time.perf_counter() - begun) / len(chunk))
    print(least, flush=True)
