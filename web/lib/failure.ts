import { Code, ConnectError, fieldViolations, isReason, isUnreachable, reasonOf } from "@user-service/client";

/** What went wrong, in the user's words: a plain object, so that server components can hand it on. */
export interface Failure {
  readonly title: string;
  readonly text: string;
  /** What the user can do about it. */
  readonly remedy: "retry" | "sign-in" | "none";
  /** The service's reason, for whoever is asked for help. */
  readonly reason?: string | undefined;
}

/** The project's sign-in service does not answer. */
export const SIGN_IN_UNREACHABLE: Failure = {
  title: "We can’t reach the sign-in service",
  text: "Check your connection, then try again.",
  remedy: "retry",
};

/** What the service says about the name it was given, fit to be shown beside the field. */
export function nameError(error: unknown): string | undefined {
  return fieldViolations(error).find(({ field }) => field === "full_name")?.description;
}

/** Puts an error of a call into words. */
export function describe(error: unknown): Failure {
  return { ...words(error), reason: reasonOf(error) };
}

function words(error: unknown): Failure {
  if (isUnreachable(error)) {
    return {
      title: "We can’t reach the service",
      text: "Check your connection. If it is fine, the service will be back in a moment.",
      remedy: "retry",
    };
  }
  if (isReason(error, "USER_BANNED")) {
    return { title: "This account is suspended", text: "Write to support to find out why.", remedy: "none" };
  }
  if (isReason(error, "USER_NOT_FOUND")) {
    return {
      title: "You have no profile yet",
      text: "It is made when an account is opened, and yours is older. Support can add it.",
      remedy: "none",
    };
  }
  switch (ConnectError.from(error).code) {
    case Code.Unauthenticated:
      return { title: "Your session has ended", text: "Sign in again to go on.", remedy: "sign-in" };
    case Code.Unavailable:
    case Code.ResourceExhausted:
    case Code.DeadlineExceeded:
      return { title: "The service is busy", text: "Please try again in a moment.", remedy: "retry" };
    default:
      return { title: "Something went wrong", text: "It is not your fault. Please try again.", remedy: "retry" };
  }
}
