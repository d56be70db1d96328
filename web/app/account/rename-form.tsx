"use client";

import { createConnectQueryKey, useMutation, useTransport } from "@connectrpc/connect-query";
import { useQueryClient } from "@tanstack/react-query";
import { UserService } from "@user-service/client";
import { useRouter } from "next/navigation";
import type { KeyboardEvent } from "react";
import { Button } from "@/components/button";
import { FailureNotice } from "@/components/failure-notice";
import { Field } from "@/components/field";
import { describe, nameError } from "@/lib/failure";

interface RenameFormProps {
  readonly name: string;
  readonly done: () => void;
}

/** Changes the name from the browser. The service decides what a name is, and says so. */
export function RenameForm({ name, done }: RenameFormProps) {
  const router = useRouter();
  const queries = useQueryClient();
  const transport = useTransport();
  const rename = useMutation(UserService.method.updateName, {
    onSuccess: async () => {
      const key = createConnectQueryKey({ schema: UserService.method.getName, transport, cardinality: "finite" });
      await queries.invalidateQueries({ queryKey: key });
      router.refresh(); // what the server rendered shows the old name
      done();
    },
  });

  const fieldError = nameError(rename.error);
  const onEscape = ({ key }: KeyboardEvent) => key === "Escape" && done();

  return (
    <form
      className="rename"
      onKeyDown={onEscape}
      onSubmit={(event) => {
        event.preventDefault();
        if (queries.isMutating()) return; // pressed again before the button could show it
        const fullName = new FormData(event.currentTarget).get("full_name");
        rename.mutate({ fullName: String(fullName) });
      }}
    >
      <Field label="New name" name="full_name" autoComplete="name" autoFocus defaultValue={name} error={fieldError} />
      <div className="row">
        <Button type="submit" busy={rename.isPending}>
          Save
        </Button>
        <Button look="quiet" onClick={done}>
          Cancel
        </Button>
      </div>
      {rename.isError && !fieldError && <FailureNotice failure={describe(rename.error)} inForm />}
    </form>
  );
}
