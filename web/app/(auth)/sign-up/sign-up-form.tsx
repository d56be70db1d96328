"use client";

import type { Route } from "next";
import { useActionState } from "react";
import { Button } from "@/components/button";
import { Field } from "@/components/field";
import { Notice } from "@/components/notice";
import { PasswordField } from "@/components/password-field";
import { leave } from "@/lib/leave";
import { browserSupabase } from "@/lib/supabase/browser";
import { authMessage } from "@/lib/supabase/messages";

interface State {
  readonly fullName: string;
  readonly email: string;
  readonly error?: string;
  /** The account is made, and waits for the link in the e-mail. */
  readonly unconfirmed?: boolean;
}

export function SignUpForm({ next }: { next: Route }) {
  const [state, signUp, busy] = useActionState<State, FormData>(
    async (_, form) => {
      const fullName = String(form.get("full_name")).trim();
      const email = String(form.get("email"));
      const { data, error } = await browserSupabase().auth.signUp({
        email,
        password: String(form.get("password")),
        options: {
          data: fullName ? { full_name: fullName } : {}, // the project's trigger copies it into public.users
          emailRedirectTo: `${location.origin}/auth/confirm?${new URLSearchParams({ next })}`,
        },
      });
      if (error) return { fullName, email, error: authMessage(error) };
      if (data.session) await leave(next);
      return { fullName, email, unconfirmed: true };
    },
    { fullName: "", email: "" },
  );

  if (state.unconfirmed) {
    return (
      <Notice tone="success" title="Check your inbox">
        We sent a link to {state.email}. Open it to finish.
      </Notice>
    );
  }

  return (
    <form action={signUp} className="stack">
      {state.error && <Notice tone="danger">{state.error}</Notice>}
      <Field label="Full name" name="full_name" autoComplete="name" defaultValue={state.fullName} hint="You can leave this for later." />
      <Field label="E-mail" name="email" type="email" autoComplete="email" required defaultValue={state.email} />
      <PasswordField
        label="Password"
        name="password"
        autoComplete="new-password"
        required
        minLength={6}
        hint="At least 6 characters."
      />
      <Button type="submit" busy={busy}>
        Create account
      </Button>
    </form>
  );
}
