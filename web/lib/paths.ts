import type { Route } from "next";

/** Where a user lands after signing in, unless another page sent them. */
export const HOME: Route = "/account";

/** Why the sign-in page was opened, where it was not the user's own idea. */
export type SignInReason = "ended" | "out" | "link";

/**
 * Reads `next` from a query. Only paths of this site are taken: an address that leads elsewhere
 * would turn the sign-in page into a phisher's springboard.
 */
export function nextPath(value: unknown): Route {
  if (typeof value !== "string") return HOME;
  const base = "http://this.site";
  const url = URL.canParse(value, base) ? new URL(value, base) : null;
  if (url?.origin !== base || !value.startsWith("/")) return HOME;
  const path = `${url.pathname}${url.search}`;
  return (path.startsWith("//") ? HOME : path) as Route; // `/..//host` is `//host` by now
}

/** The sign-in page that leads back to `next`. */
export function signInPath(reason?: SignInReason, next: string = HOME): Route {
  const query = new URLSearchParams({ ...(next !== HOME && { next }), ...(reason && { reason }) });
  return (query.size ? `/sign-in?${query}` : "/sign-in") as Route;
}
