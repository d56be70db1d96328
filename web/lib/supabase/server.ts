import "server-only";
import { createServerClient } from "@supabase/ssr";
import { isAuthRetryableFetchError } from "@supabase/supabase-js";
import { cookies } from "next/headers";
import { cache } from "react";
import { env } from "../env";

/** The Supabase client of this request, with the session that came in its cookies. */
export const serverSupabase = cache(async () => {
  const store = await cookies();
  return createServerClient(env.supabaseUrl, env.supabaseKey, {
    cookies: {
      getAll: () => store.getAll(),
      setAll(changed) {
        try {
          for (const { name, value, options } of changed) store.set(name, value, options);
        } catch {
          // Server components cannot write cookies. The proxy has refreshed the session before.
        }
      },
    },
  });
});

/** What the verified token says about the user. */
export interface SignedIn {
  readonly id: string;
  readonly email: string;
  /** When the session's user last proved who they are. */
  readonly since: Date | undefined;
}

/**
 * Returns who is signed in, `null` when nobody is, and `"unreachable"` when it cannot be found out
 * because the project does not answer.
 */
export const currentUser = cache(async (): Promise<SignedIn | null | "unreachable"> => {
  const supabase = await serverSupabase();
  const { data, error } = await supabase.auth.getClaims();
  if (error) return isAuthRetryableFetchError(error) ? "unreachable" : null;
  if (!data) return null;

  const { sub, email, amr } = data.claims;
  const method = amr?.[0];
  return {
    id: sub,
    email: email ?? "",
    since: typeof method === "object" ? new Date(method.timestamp * 1000) : undefined,
  };
});
