import type { SignedIn } from "@/lib/supabase/server";

/** What the verified token says. */
export function SessionCard({ user }: { user: SignedIn }) {
  return (
    <section className="card" aria-labelledby="session">
      <h2 id="session">Sign-in</h2>
      <p>How you are known on this device.</p>
      <dl>
        <dt>E-mail</dt>
        <dd>{user.email}</dd>
        {user.since && (
          <>
            <dt>Signed in</dt>
            <dd>
              <time dateTime={user.since.toISOString()}>
                {user.since.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" })} UTC
              </time>
            </dd>
          </>
        )}
        <dt>User ID</dt>
        <dd>
          <code>{user.id}</code>
        </dd>
      </dl>
    </section>
  );
}
