import type { Metadata } from "next";
import Link from "next/link";
import { Notice } from "@/components/notice";
import { HOME, nextPath, type SignInReason } from "@/lib/paths";
import { SignInForm } from "./sign-in-form";

export const metadata: Metadata = { title: "Sign in" };

const NOTICES: Partial<Record<string, string>> & Record<SignInReason, string> = {
  ended: "Your session has ended. Sign in again to go on.",
  out: "You are signed out.",
  link: "That link has expired or was used before. Sign in, or sign up again for a new one.",
};

export default async function SignInPage({ searchParams }: PageProps<"/sign-in">) {
  const { next, reason } = await searchParams;
  const notice = typeof reason === "string" ? NOTICES[reason] : undefined;
  const target = nextPath(next);
  return (
    <>
      <h1>Welcome back</h1>
      <p className="lead">Sign in to see your account.</p>
      {notice && <Notice tone="info">{notice}</Notice>}
      <SignInForm next={target} />
      <p className="aside">
        New here?{" "}
        <Link href={target === HOME ? "/sign-up" : { pathname: "/sign-up", query: { next: target } }}>
          Create an account
        </Link>
      </p>
    </>
  );
}
