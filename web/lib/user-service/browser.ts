import { isAuthRetryableFetchError } from "@supabase/supabase-js";
import { createUserServiceTransport } from "@user-service/client";
import { env } from "../env";
import { browserSupabase } from "../supabase/browser";

/** The way to the service from this browser, with its session: each call carries a current token. */
export function browserTransport() {
  const { auth } = browserSupabase();
  return createUserServiceTransport({
    baseUrl: env.userServiceUrl,
    getToken: async () => (await auth.getSession()).data.session?.access_token,
    refreshToken: async () => {
      const { data, error } = await auth.refreshSession();
      if (isAuthRetryableFetchError(error)) throw error; // no answer: the session may well go on
      return data.session?.access_token;
    },
  });
}
