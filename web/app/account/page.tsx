import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { Suspense } from "react";
import { FailureNotice } from "@/components/failure-notice";
import { Skeleton } from "@/components/skeleton";
import { SIGN_IN_UNREACHABLE } from "@/lib/failure";
import { signInPath } from "@/lib/paths";
import { currentUser } from "@/lib/supabase/server";
import { readName } from "@/lib/user-service/server";
import { Identity } from "./identity";
import { NameForm } from "./name-form";
import { Providers } from "./providers";
import { SessionCard } from "./session-card";

export const metadata: Metadata = { title: "Account" };

export default async function AccountPage() {
  const user = await currentUser();
  if (user === null) redirect(signInPath("ended"));
  if (user === "unreachable") return <FailureNotice failure={SIGN_IN_UNREACHABLE} />;

  return (
    <Providers userId={user.id}>
      <Identity email={user.email} />
      <section className="card" aria-labelledby="profile">
        <h2 id="profile">Profile</h2>
        <p>Your name as others see it.</p>
        <Suspense fallback={<ProfileLoading />}>
          <Profile />
        </Suspense>
      </section>
      <SessionCard user={user} />
    </Providers>
  );
}

/** Reads the name on the server, so that the form arrives filled in. */
async function Profile() {
  const result = await readName();
  if ("failure" in result) return <FailureNotice failure={result.failure} />;
  return <NameForm name={result.name} />;
}

function ProfileLoading() {
  return (
    <div className="stack" role="status">
      <span className="visually-hidden">Loading your profile</span>
      <Skeleton size="short" />
      <Skeleton size="field" />
    </div>
  );
}
