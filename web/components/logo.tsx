import Link from "next/link";
import { HOME } from "@/lib/paths";

export function Logo() {
  return (
    <Link href={HOME} className="logo">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="9" />
        <circle cx="16" cy="12" r="4.5" />
        <path d="M7.5 25.5c1-5 4.4-7.5 8.5-7.5s7.5 2.5 8.5 7.5" />
      </svg>
      user-service
    </Link>
  );
}
