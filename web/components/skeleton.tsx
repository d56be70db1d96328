/** A grey stand-in for a line of text that is still to come. */
export function Skeleton({ size }: { size: "short" | "medium" | "long" | "field" }) {
  return <span className={`skeleton ${size}`} aria-hidden="true" />;
}
