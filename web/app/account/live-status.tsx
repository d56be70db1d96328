import { onlineManager, type UseQueryResult } from "@tanstack/react-query";
import Link from "next/link";
import { type ReactNode, useSyncExternalStore } from "react";
import { describe } from "@/lib/failure";
import { signInPath } from "@/lib/paths";

/** Says how current the page is, and when it is not, why and what can be done. */
export function LiveStatus({ query }: { query: UseQueryResult<unknown, unknown> }) {
  const online = useSyncExternalStore(subscribe, isOnline, () => true);
  if (!online) return <Status tone="away">Offline</Status>;
  if (!query.isError) {
    return query.isFetching ? <Status tone="away">Updating</Status> : <Status tone="good">Up to date</Status>;
  }
  const { title, remedy } = describe(query.error);
  return (
    <Status tone="bad">
      {title}
      {remedy === "retry" && (
        <button type="button" className="link" onClick={() => query.refetch()}>
          Try again
        </button>
      )}
      {remedy === "sign-in" && <Link href={signInPath("ended")}>Sign in</Link>}
    </Status>
  );
}

function Status({ tone, children }: { tone: "good" | "away" | "bad"; children: ReactNode }) {
  return (
    <span className={`live ${tone}`} role="status">
      {children}
    </span>
  );
}

const subscribe = onlineManager.subscribe.bind(onlineManager);
const isOnline = onlineManager.isOnline.bind(onlineManager);
