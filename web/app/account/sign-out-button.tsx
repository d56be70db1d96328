"use client";

import { useState } from "react";
import { Button } from "@/components/button";
import { browserSupabase } from "@/lib/supabase/browser";

/** Ends the session in this browser. The page hears of it and leaves, as it does in other tabs. */
export function SignOutButton() {
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");

  async function signOut() {
    setState("busy");
    const { error } = await browserSupabase().auth.signOut({ scope: "local" });
    if (error) setState("failed");
  }

  return (
    <div className="sign-out">
      {state === "failed" && <span role="alert">Could not sign out. Try again.</span>}
      <Button look="quiet" busy={state === "busy"} onClick={signOut}>
        Sign out
      </Button>
    </div>
  );
}
