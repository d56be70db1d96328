import type { ReactNode } from "react";
import { Logo } from "@/components/logo";
import { ThemeSwitch } from "@/components/theme-switch";
import { SignOutButton } from "./sign-out-button";

export default function AccountLayout({ children }: { children: ReactNode }) {
  return (
    <div className="app">
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="app-bar">
        <Logo />
        <SignOutButton />
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <footer>
        <ThemeSwitch />
      </footer>
    </div>
  );
}
