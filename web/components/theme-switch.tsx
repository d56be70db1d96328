"use client";

import { useEffect, useState } from "react";
import { isTheme, THEME_COOKIE } from "@/lib/theme";

const CHOICES = ["system", "light", "dark"] as const;
const A_YEAR = 365 * 24 * 60 * 60;

/** Lets the user choose the theme. The layout reads the cookie, so the next page comes in it at once. */
export function ThemeSwitch() {
  const [chosen, setChosen] = useState<(typeof CHOICES)[number]>("system");
  useEffect(() => {
    const { theme } = document.documentElement.dataset;
    if (isTheme(theme)) setChosen(theme);
  }, []);

  function choose(choice: (typeof CHOICES)[number]) {
    setChosen(choice);
    const lifetime = choice === "system" ? 0 : A_YEAR;
    document.cookie = `${THEME_COOKIE}=${choice}; path=/; max-age=${lifetime}; samesite=lax`;
    if (choice === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = choice;
  }

  return (
    <fieldset className="theme-switch">
      <legend className="visually-hidden">Theme</legend>
      {CHOICES.map((choice) => (
        <label key={choice}>
          <input type="radio" name="theme" checked={choice === chosen} onChange={() => choose(choice)} />
          <span>{choice}</span>
        </label>
      ))}
    </fieldset>
  );
}
