import type { ComponentProps } from "react";

interface ButtonProps extends ComponentProps<"button"> {
  readonly look?: "primary" | "quiet";
  /** Work is under way: the button keeps its focus and width, and takes no second press. */
  readonly busy?: boolean;
}

export function Button({ look = "primary", busy = false, type = "button", onClick, children, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className={`button ${look}`}
      aria-disabled={busy || undefined}
      data-busy={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : onClick} // Enter in a field presses it, too
    >
      <span>{children}</span>
    </button>
  );
}
