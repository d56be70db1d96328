"use client";

import type { Route } from "next";
import { useActionState } from "react";
import { Button } from "@/components/button";
import { Field } from "@/components/field";
import { Notice } from "@/components/notice";
import { PasswordField } from "@/components/password-field";
import { authMessage } from "@/lib/supabase/messages";
import { leave } from "@/lib/leave";
import { browserSupabase } from "@/lib/supabase/browser";

interface State {
  readonly email: string;
  readonly error?: string;
}

export function SignInForm({ next }: { next: Route }) {
  const [state, signIn, busy] = useActionState<State, FormData>(
    async (_, form) => {
      const email = String(form.get("email"));
      const password = String(form.get("password"));
      const { error } = await browserSupabase().auth.signInWithPassword({ email, password });
      if (error) return { email, error: authMessage(error) };
      return leave(next);
    },
    { email: "" },
  );

  return (
    <form action={signIn} className="stack">
      {state.error && <Notice tone="danger">{state.error}</Notice>}
      <Field label="E-mail" name="email" type="email" autoComplete="email" required defaultValue={state.email} />
      <PasswordField label="Password" name="password" autoComplete="current-password" required />
      <Button type="submit" busy={busy}>
        Sign in
      </Button>
    </form>
  );
}
