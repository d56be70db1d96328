import type { UseQueryResult } from "@tanstack/react-query";

/** One word on how current the page is. */
export function LiveStatus({ query }: { query: UseQueryResult<unknown, unknown> }) {
  const [state, word] = status(query);
  return (
    <span className={`live ${state}`} role="status">
      {word}
    </span>
  );
}

function status(query: UseQueryResult<unknown, unknown>): [state: string, word: string] {
  if (query.fetchStatus === "paused") return ["away", "Offline"];
  if (query.isError) return ["failed", "Not up to date"];
  if (query.isFetching) return ["away", "Updating"];
  return ["ok", "Up to date"];
}
