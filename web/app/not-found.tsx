import Link from "next/link";
import { Logo } from "@/components/logo";
import { HOME } from "@/lib/paths";

export default function NotFound() {
  return (
    <main className="blank">
      <Logo />
      <h1>There is nothing here</h1>
      <p>The address may be mistyped, or the page has moved.</p>
      <Link className="button primary" href={HOME}>
        Go to your account
      </Link>
    </main>
  );
}
