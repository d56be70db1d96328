import type { ReactNode } from "react";
import { Logo } from "@/components/logo";
import { ThemeSwitch } from "@/components/theme-switch";

export default function AuthLayout({ children }: { children: ReactNode }) {
  return (
    <div className="entrance">
      <div className="entrance-side">
        <header>
          <Logo />
        </header>
        <main>{children}</main>
        <footer>
          <ThemeSwitch />
        </footer>
      </div>
      <div className="entrance-art" aria-hidden="true">
        <p>
          One sign-in.
          <br />
          One name, everywhere.
        </p>
      </div>
    </div>
  );
}
