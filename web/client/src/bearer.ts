import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

/** An access token, or nothing where nobody is signed in. */
type MaybeToken = string | null | undefined;

/** Where {@link bearer} takes tokens from. */
export interface BearerOptions {
  /**
   * Returns the access token for a call; asked before every call. Without one the call goes out
   * without an `authorization` header. With Supabase: `getSession()`'s `access_token`.
   */
  readonly getToken?: (() => MaybeToken | Promise<MaybeToken>) | undefined;
  /**
   * Returns a new access token after the service refused the last one, or nothing where the session
   * is over: then the call fails as the service answered it. Rejecting means that it could not be
   * found out. Calls that are refused at the same time share one refresh.
   */
  readonly refreshToken?: (() => MaybeToken | Promise<MaybeToken>) | undefined;
}

/**
 * Makes an interceptor that sends the access token with every call. When the service answers
 * UNAUTHENTICATED it gets one new token and repeats the call once. Nothing else is repeated, nor are
 * calls with a stream, whose messages are gone by then.
 */
export function bearer({ getToken, refreshToken }: BearerOptions): Interceptor {
  let refreshing: Promise<MaybeToken> | undefined;

  async function newToken(refused: MaybeToken): Promise<MaybeToken> {
    // Another call may have refreshed while this one was under way.
    const current = await getToken?.();
    if (current && current !== refused) return current;
    refreshing ??= Promise.resolve(refreshToken?.()).finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  return (next) => async (request) => {
    const token = await unlessAborted(request.signal, async () => getToken?.());
    if (token) request.header.set("authorization", `Bearer ${token}`);
    try {
      return await next(request);
    } catch (error) {
      const mayRepeat = refreshToken && !request.stream && ConnectError.from(error).code === Code.Unauthenticated;
      if (!mayRepeat) throw error;

      const fresh = await unlessAborted(request.signal, () => newToken(token));
      if (!fresh || fresh === token) throw error;
      request.header.set("authorization", `Bearer ${fresh}`);
      return next(request);
    }
  };
}

/** Waits for the work, but not longer than the call is wanted: a deadline covers the refresh too. */
function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}
