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
  /** Tries again; without it the page is read anew from the server. */
  readonly retry?: () => void;
  readonly retrying?: boolean;
}

/** Says what went wrong and offers the way on. */
export function FailureNotice({ failure, retry, retrying = false }: FailureNoticeProps) {
  const router = useRouter();
  const path = usePathname();
  const [reading, startReading] = useTransition();
  const again = retry ?? (() => startReading(() => router.refresh()));

  return (
    <Notice
      tone="danger"
      title={failure.title}
      action={
        failure.remedy === "retry" ? (
          <Button look="quiet" busy={retrying || reading} onClick={again}>
            Try again
          </Button>
        ) : failure.remedy === "sign-in" ? (
          <Link className="button primary" href={signInPath("ended", path)}>
            Sign in
          </Link>
        ) : undefined
      }
    >
      {failure.text}
      {failure.reason && <code className="reason">{failure.reason}</code>}
    </Notice>
  );
}
