import { createBrowserClient } from "@supabase/ssr";
import { env } from "../env";

/** The Supabase client of this browser: one for all callers, its session in cookies. */
export function browserSupabase() {
  return createBrowserClient(env.supabaseUrl, env.supabaseKey);
}
