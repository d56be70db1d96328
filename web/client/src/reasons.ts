/**
 * Every reason that user-service gives in `ErrorInfo.reason`. They are stable; messages are not.
 * A reason of your own RPC belongs here too.
 */
export const REASONS = [
  // Unauthenticated
  "TOKEN_MISSING",
  "AUTHORIZATION_MALFORMED",
  "TOKEN_PLACEHOLDER",
  "TOKEN_IS_API_KEY",
  "TOKEN_TOO_LARGE",
  "TOKEN_MALFORMED",
  "TOKEN_ALGORITHM",
  "TOKEN_HEADER",
  "TOKEN_KEY_UNKNOWN",
  "TOKEN_SIGNATURE",
  "TOKEN_EXPIRED",
  "TOKEN_NOT_YET_VALID",
  "TOKEN_LIFETIME",
  "TOKEN_ISSUER",
  "TOKEN_AUDIENCE",
  "TOKEN_ROLE",
  "TOKEN_SUBJECT",
  "TOKEN_CLAIMS",
  "SESSION_ENDED",
  // PermissionDenied
  "USER_BANNED",
  "PERMANENT_USER_REQUIRED",
  "AAL2_REQUIRED",
  "ACCESS_DENIED",
  // NotFound
  "USER_NOT_FOUND",
  "ROUTE_NOT_FOUND",
  // InvalidArgument
  "FIELD_INVALID",
  "REQUEST_MALFORMED",
  "CONTENT_TYPE",
  // Unimplemented
  "METHOD_NOT_ALLOWED",
  "NOT_IMPLEMENTED",
  // ResourceExhausted
  "BODY_TOO_LARGE",
  "OVERLOADED",
  // Unavailable
  "DATABASE_UNAVAILABLE",
  "DATABASE_READ_ONLY",
  "KEYS_UNAVAILABLE",
  "SHUTTING_DOWN",
  // DeadlineExceeded, Internal
  "DEADLINE",
  "INTERNAL",
] as const;

/** A reason that user-service gives for a failure. */
export type Reason = (typeof REASONS)[number];
