import { createServerClient } from "@supabase/ssr";
import { isAuthRetryableFetchError } from "@supabase/supabase-js";
import { type NextRequest, NextResponse } from "next/server";
import { contentSecurityPolicy } from "./lib/csp";
import { env } from "./lib/env";
import { HOME, nextPath, signInPath } from "./lib/paths";

/** What @supabase/ssr keeps a session in; beside it there are cookies of sign-ins that were begun. */
const SESSION_COOKIE = /^sb-.+-auth-token(\.\d+)?$/;
/** What it sends with a refreshed session, which no cache may keep. */
const ABOUT_CACHES = ["cache-control", "expires", "pragma"];

/**
 * Runs before every page: refreshes the session (server components cannot write cookies), sends
 * strangers to the sign-in page, and sets the security headers.
 */
export async function proxy(request: NextRequest) {
  const policy = contentSecurityPolicy(btoa(crypto.randomUUID()));
  request.headers.set("content-security-policy", policy); // from here Next takes the nonce
  const hadSession = request.cookies.getAll().some(({ name }) => SESSION_COOKIE.test(name));

  let response = NextResponse.next({ request });
  const supabase = createServerClient(env.supabaseUrl, env.supabaseKey, {
    cookies: {
      getAll: () => request.cookies.getAll(),
      setAll(changed, headers) {
        for (const { name, value } of changed) request.cookies.set(name, value);
        response = NextResponse.next({ request }); // hands the new cookies to the page…
        for (const { name, value, options } of changed) response.cookies.set(name, value, options); // …and to the browser
        for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
      },
    },
  });
  // Verifies the token, and refreshes it first when it is about to end.
  const { data, error } = await supabase.auth.getClaims();

  const target = destination(request, {
    signedIn: data !== null,
    unknown: isAuthRetryableFetchError(error),
    hadSession,
  });
  if (target && !isAction(request)) {
    const redirect = NextResponse.redirect(new URL(target, request.url));
    for (const cookie of response.cookies.getAll()) redirect.cookies.set(cookie);
    for (const name of ABOUT_CACHES) {
      const value = response.headers.get(name);
      if (value) redirect.headers.set(name, value);
    }
    response = redirect;
  }
  response.headers.set("content-security-policy", policy);
  response.headers.set("referrer-policy", "same-origin");
  response.headers.set("x-content-type-options", "nosniff");
  return response;
}

/**
 * Whether this is a Server Action. It answers in a form of its own, in which a redirect to another
 * page has no place: the action finds out by itself that nobody is signed in.
 */
function isAction(request: NextRequest): boolean {
  return request.method === "POST" && request.headers.has("next-action");
}

interface Visitor {
  readonly signedIn: boolean;
  /** The project does not answer: the page will say so. */
  readonly unknown: boolean;
  readonly hadSession: boolean;
}

function destination({ nextUrl }: NextRequest, { signedIn, unknown, hadSession }: Visitor): string | undefined {
  const isEntrance = nextUrl.pathname === "/sign-in" || nextUrl.pathname === "/sign-up";
  if (isEntrance) {
    // With a reason the user is asked to sign in once more, whatever the cookies say.
    return signedIn && !nextUrl.searchParams.has("reason") ? nextPath(nextUrl.searchParams.get("next")) : undefined;
  }
  if (nextUrl.pathname.startsWith("/auth/")) return undefined;
  if (signedIn || unknown) return nextUrl.pathname === "/" ? HOME : undefined;
  const from = nextUrl.pathname === "/" ? HOME : nextUrl.pathname + nextUrl.search;
  return signInPath(hadSession ? "ended" : undefined, from);
}

export const config = {
  // Everything but files.
  matcher: ["/((?!_next/static|_next/image|icon.svg|.*\\.(?:png|ico|txt|woff2)$).*)"],
};
