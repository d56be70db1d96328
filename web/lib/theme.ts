/** Where the chosen theme is kept; without it the system's is used. */
export const THEME_COOKIE = "theme";

/** A theme that the user may choose over the system's. */
export type Theme = "light" | "dark";

export function isTheme(value: unknown): value is Theme {
  return value === "light" || value === "dark";
}
