import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";
import type { Reason } from "./reasons.js";

/** The `ErrorInfo` domain of every error of the service. */
export const DOMAIN = "user-service";

/** A field of the request that the service did not accept. */
export interface FieldViolation {
  /** The path of the field as the proto names it, such as `full_name`. */
  readonly field: string;
  /** What is wrong with it, fit to be shown beside the field. */
  readonly description: string;
}

function errorInfo(error: unknown): ErrorInfo | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  return error.findDetails(ErrorInfoSchema).find((info) => info.domain === DOMAIN);
}

/**
 * Returns the reason that the service gave for a failure, and `undefined` when the error is not
 * the service's answer. A newer service may give a reason that {@link Reason} does not list yet.
 */
export function reasonOf(error: unknown): string | undefined {
  return errorInfo(error)?.reason;
}

/** Says whether the service gave one of these reasons. */
export function isReason(error: unknown, ...reasons: readonly Reason[]): boolean {
  const reason = reasonOf(error);
  return reasons.some((expected) => expected === reason);
}

/** Returns the fields that the service did not accept; empty when the error is about something else. */
export function fieldViolations(error: unknown): FieldViolation[] {
  if (!(error instanceof ConnectError)) return [];
  return error
    .findDetails(BadRequestSchema)
    .flatMap((details) => details.fieldViolations)
    .map(({ field, description }) => ({ field, description }));
}

/** Returns how many milliseconds the service asks to wait before another try, if it says so. */
export function retryDelayMs(error: unknown): number | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
}

/**
 * Says whether no answer of the service came at all: it is down, the network is, nothing came in
 * time, or the browser withheld the answer because the page's origin is not among
 * `CORS_ALLOWED_ORIGINS`. A browser does not tell these apart.
 */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof ConnectError) || errorInfo(error)) return false;
  const fetchFailed = error.code === Code.Unknown && error.cause instanceof TypeError;
  return fetchFailed || error.code === Code.Unavailable || error.code === Code.DeadlineExceeded;
}
