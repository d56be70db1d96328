import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { type BearerOptions, bearer } from "./bearer.js";
import { UserService } from "./gen/user/v1/user_pb.js";

/** Room for one token refresh and one repetition. */
const DEFAULT_TIMEOUT_MS = 10_000;

/** How to reach the service, and as whom. */
export interface UserServiceOptions extends BearerOptions {
  /** Where the service is, such as `https://api.example.com`. */
  readonly baseUrl: string;
  /**
   * How long a call may take in all, token and repetition included, unless the call says otherwise
   * with its own `timeoutMs`; sent to the service as its deadline. Default: 10,000; 0 is no limit.
   */
  readonly timeoutMs?: number | undefined;
  /** Further interceptors. They stand outside the bearer's, and see a repeated call once. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /** Another `fetch`, such as one with caching switched off. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** The service's methods. Each takes `{ signal, timeoutMs, headers }` as its second argument. */
export type UserServiceClient = Client<typeof UserService>;

/**
 * Makes a client for one session. In a browser make it once; on a server make one for each request,
 * so that no user's token meets another's call.
 */
export function createUserServiceClient(options: UserServiceOptions): UserServiceClient {
  return createClient(UserService, createUserServiceTransport(options));
}

/** Makes the gRPC-Web transport alone: for connect-query, and for services of your own. */
export function createUserServiceTransport(options: UserServiceOptions): Transport {
  return createGrpcWebTransport({
    baseUrl: options.baseUrl,
    defaultTimeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    interceptors: [...(options.interceptors ?? []), bearer(options)],
    ...(options.fetch && { fetch: options.fetch }),
  });
}
