import type { Metadata } from "next";
import Link from "next/link";
import { HOME, nextPath } from "@/lib/paths";
import { SignUpForm } from "./sign-up-form";

export const metadata: Metadata = { title: "Create an account" };

export default async function SignUpPage({ searchParams }: PageProps<"/sign-up">) {
  const target = nextPath((await searchParams)["next"]);
  return (
    <>
      <SignUpForm next={target} />
      <p className="aside">
        Have an account?{" "}
        <Link href={target === HOME ? "/sign-in" : { pathname: "/sign-in", query: { next: target } }}>Sign in</Link>
      </p>
    </>
  );
}
