export { type BearerOptions, bearer } from "./bearer.js";
export {
  createUserServiceClient,
  createUserServiceTransport,
  type UserServiceClient,
  type UserServiceOptions,
} from "./client.js";
export { DOMAIN, type FieldViolation, fieldViolations, isReason, isUnreachable, reasonOf, retryDelayMs } from "./errors.js";
export * from "./gen/user/v1/user_pb.js";
export { REASONS, type Reason } from "./reasons.js";

// What a caller needs beside: the code of an error, and the type to catch.
export { Code, ConnectError } from "@connectrpc/connect";
