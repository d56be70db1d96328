import type { EmailOtpType } from "@supabase/supabase-js";
import { redirect } from "next/navigation";
import type { NextRequest } from "next/server";
import { nextPath, signInPath } from "@/lib/paths";
import { serverSupabase } from "@/lib/supabase/server";

/**
 * Where the link in Supabase's e-mails leads: with a `code`, as the default templates make it, or
 * with `token_hash` and `type`, as templates for server-side apps do.
 */
export async function GET(request: NextRequest) {
  const { searchParams } = request.nextUrl;
  const { auth } = await serverSupabase();

  const code = searchParams.get("code");
  const hash = searchParams.get("token_hash");
  const type = searchParams.get("type") as EmailOtpType | null;

  const { error } = code
    ? await auth.exchangeCodeForSession(code)
    : hash && type
      ? await auth.verifyOtp({ token_hash: hash, type })
      : { error: "no token in the link" };
  const next = nextPath(searchParams.get("next"));
  redirect(error ? signInPath("link", next) : next);
}
