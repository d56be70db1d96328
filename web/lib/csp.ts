import { env } from "./env";

/**
 * The Content-Security-Policy of every page. The session's cookies can be read by scripts, so none
 * but ours may run, and data may go to this site, the project and the service only.
 */
export function contentSecurityPolicy(nonce: string): string {
  const development = process.env.NODE_ENV === "development"; // where React evaluates strings and Next injects styles
  return [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${development ? " 'unsafe-eval'" : ""}`,
    `style-src 'self' ${development ? "'unsafe-inline'" : `'nonce-${nonce}'`}`,
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self' ${new URL(env.supabaseUrl).origin} ${new URL(env.userServiceUrl).origin}${development ? " ws:" : ""}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
