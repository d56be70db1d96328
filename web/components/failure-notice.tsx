"use client";

import Link from "next/link";
import { usePathname, useRouter } from "next/navigation";
import { useTransition } from "react";
import type { Failure } from "@/lib/failure";
import { signInPath } from "@/lib/paths";
import { Button } from "./button";
import { Notice } from "./notice";

interface FailureNoticeProps {
  readonly failure: Failure;
  /** Whether it stands in a form, whose own button is the way to try again. */
  readonly inForm?: boolean;
}

/** Says what went wrong and offers the way on. */
export function FailureNotice({ failure, inForm = false }: FailureNoticeProps) {
  const { title, text, reason, remedy } = failure;
  return (
    <Notice
      tone="danger"
      title={title}
      action={remedy === "sign-in" ? <SignInLink /> : remedy === "retry" && !inForm ? <ReadAgainButton /> : undefined}
    >
      {text}
      {reason && <code className="reason">{reason}</code>}
    </Notice>
  );
}

function SignInLink() {
  return (
    <Link className="button primary" href={signInPath("ended", usePathname())}>
      Sign in
    </Link>
  );
}

/** Has the server render the page anew. */
function ReadAgainButton() {
  const router = useRouter();
  const [busy, start] = useTransition();
  return (
    <Button look="quiet" busy={busy} onClick={() => start(() => router.refresh())}>
      Try again
    </Button>
  );
}
