"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useActionState, useEffect } from "react";
import { Button } from "@/components/button";
import { FailureNotice } from "@/components/failure-notice";
import { Field } from "@/components/field";
import { saveName } from "./actions";

/** The name in a form that a Server Action takes. */
export function NameForm({ name }: { name: string | undefined }) {
  const [state, save, busy] = useActionState(saveName, {});
  const queries = useQueryClient();
  useEffect(() => {
    if (state.saved) void queries.invalidateQueries(); // the browser's own reading is old now
  }, [state, queries]);

  return (
    <form action={save} className="stack">
      {name === undefined && <p className="lead">You have no name yet. What shall we call you?</p>}
      <Field
        label="Full name"
        name="full_name"
        autoComplete="name"
        defaultValue={state.refused ?? name ?? ""}
        hint="Up to 200 characters."
        error={state.fieldError}
      />
      {state.failure && <FailureNotice failure={state.failure} inForm />}
      <div className="row">
        <Button type="submit" busy={busy}>
          Save changes
        </Button>
        {state.saved && !busy && (
          <span className="saved" role="status">
            Saved
          </span>
        )}
      </div>
    </form>
  );
}
