import "server-only";
import { createUserServiceClient } from "@user-service/client";
import { cache } from "react";
import { env } from "../env";
import { type Failure, describe } from "../failure";
import { serverSupabase } from "../supabase/server";

/**
 * The service, called as the user of this request. It does not refresh: a server component could not
 * keep the new session, and the proxy has made sure of a fresh one before.
 */
export const userService = cache(async () => {
  const supabase = await serverSupabase();
  return createUserServiceClient({
    baseUrl: env.userServiceUrl,
    timeoutMs: 5_000, // a page should not wait longer to be shown
    getToken: async () => (await supabase.auth.getSession()).data.session?.access_token,
  });
});

/** The user's name, read on the server; `undefined` when there is none yet. */
export type NameResult = { readonly name: string | undefined } | { readonly failure: Failure };

/** Reads the name once for each request, however many components ask. */
export const readName = cache(async (): Promise<NameResult> => {
  try {
    const service = await userService();
    return { name: (await service.getName({})).fullName };
  } catch (error) {
    return { failure: describe(error) };
  }
});
