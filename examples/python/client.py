"""Another service of yours calls user-service for the user that called it.

With `make run` in another shell:

    examples/python/install.sh
    set -a; . .dev/env; set +a; .dev/python/bin/python examples/python/client.py

To take along: this file, requirements.txt, proto/, and how install.sh generates `user.v1` from it.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status

from user.v1 import user_pb2, user_pb2_grpc

Answer = TypeVar("Answer")

TRIES = 5
EACH_TRY = 3.0  # seconds: the longest that one try may take
FIRST_PAUSE = 0.1  # seconds: the longest pause after the first try; it doubles with each further one
LONGEST_PAUSE = 2.0  # seconds

CHANNEL_OPTIONS = [
    # How long a peer may be silent before it is asked for a sign of life, and how long it has for
    # one. Without it, calls over a connection that is dead but not closed fail as long as TCP hopes.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # How soon to connect again; until then calls fail at once. The default begins with a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


class ForwardToken(grpc.UnaryUnaryClientInterceptor):
    """Sends the caller's token along: the `authorization` of the call that is being answered."""

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def intercept_unary_unary(self, continuation, client_call_details, request):
        metadata = [*(client_call_details.metadata or ()), ("authorization", self._authorization)]
        return continuation(client_call_details._replace(metadata=metadata), request)


class Users:
    """user-service. One for the whole process: it may be shared between threads."""

    def __init__(self, url: str) -> None:
        # Connects at the first call: this service may start before the other.
        self._channel = connect(url)

    def full_name(self, authorization: str, timeout: float) -> str | None:
        """Returns the full name of the user whose token this is; None when they have none yet.

        Raises grpc.RpcError. `ErrorInfo.reason` in its details tells what to do: docs/errors.md.
        """
        channel = grpc.intercept_channel(self._channel, ForwardToken(authorization))
        stub = user_pb2_grpc.UserServiceStub(channel)
        request = user_pb2.GetNameRequest()
        answer = retrying(lambda seconds: stub.GetName(request, timeout=seconds), timeout)
        return answer.full_name if answer.HasField("full_name") else None


def connect(url: str) -> grpc.Channel:
    """Returns a channel to http://host:port or https://host:port."""
    scheme, _, target = url.partition("://")
    if scheme == "https":
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(), CHANNEL_OPTIONS)
    return grpc.insecure_channel(target, CHANNEL_OPTIONS)


def retrying(call: Callable[[float], Answer], timeout: float) -> Answer:
    """Calls, and again while the service says UNAVAILABLE, but never past the timeout.

    For calls that may be done twice: all that read, and writes that set. `call` gets the seconds
    that its try has. Raises the last try's grpc.RpcError. One that did not end in its time is not
    tried again: a service that is too slow does not get faster by more calls.
    """
    deadline = time.monotonic() + timeout
    longest_pause = FIRST_PAUSE
    tries = 0
    while True:
        try:
            return call(min(EACH_TRY, deadline - time.monotonic()))
        except grpc.RpcError as error:
            tries += 1
            if error.code() is not grpc.StatusCode.UNAVAILABLE or tries == TRIES:
                raise
            pause = asked_pause(error) + random.uniform(0, longest_pause)
            if pause >= deadline - time.monotonic():
                raise
        time.sleep(pause)
        longest_pause = min(2 * longest_pause, LONGEST_PAUSE)


def asked_pause(error: grpc.RpcError) -> float:
    """Returns the least seconds that the service wants us to wait: google.rpc.RetryInfo."""
    status = rpc_status.from_call(error)
    info = RetryInfo()
    for detail in status.details if status else ():
        if detail.Unpack(info):
            return info.retry_delay.ToTimedelta().total_seconds()
    return 0.0


def main() -> None:
    arguments = argparse.ArgumentParser(description="Greets the user that TOKEN is of.")
    arguments.add_argument("--timeout", type=float, default=10.0, help="seconds in all (10)")
    timeout = arguments.parse_args().timeout

    users = Users(os.environ["USER_SERVICE_URL"])
    # What came with the call that is being answered: in a servicer, context.invocation_metadata().
    authorization = f"Bearer {os.environ['TOKEN']}"
    try:
        name = users.full_name(authorization, timeout)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    print(f"Hello, {name or 'whoever you are'}.")


if __name__ == "__main__":
    main()
