import { type AuthError, isAuthRetryableFetchError } from "@supabase/supabase-js";
import { SIGN_IN_UNREACHABLE } from "../failure";

const MESSAGES: Partial<Record<string, string>> = {
  invalid_credentials: "E-mail or password is not right.",
  email_not_confirmed: "Your e-mail address is not confirmed yet. Open the link we sent you.",
  user_banned: "This account is suspended.",
  user_already_exists: "There is an account with this address already. Sign in instead.",
  email_exists: "There is an account with this address already. Sign in instead.",
  over_request_rate_limit: "That was a little fast. Wait a minute, then try again.",
};

/** Puts an error of Supabase Auth into the user's words. */
export function authMessage(error: AuthError): string {
  if (isAuthRetryableFetchError(error)) return `${SIGN_IN_UNREACHABLE.title}. ${SIGN_IN_UNREACHABLE.text}`;
  return MESSAGES[error.code ?? ""] ?? error.message;
}
