"use client";

import type { Route } from "next";
import { useActionState, useCallback } from "react";
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

  if (state.unconfirmed) return <CheckYourInbox email={state.email} />;

  return (
    <>
      <h1>Create an account</h1>
      <p className="lead">It takes less than a minute.</p>
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
    </>
  );
}

/** Takes the form's place, and the focus that was in it. */
function CheckYourInbox({ email }: { email: string }) {
  const focus = useCallback((heading: HTMLElement | null) => heading?.focus(), []);
  return (
    <>
      <h1 tabIndex={-1} ref={focus}>
        Check your inbox
      </h1>
      <p className="lead">
        We sent a link to <strong>{email}</strong>.
        <br />
        Open it to finish.
      </p>
    </>
  );
}
