"use client";

import { TransportProvider } from "@connectrpc/connect-query";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { isUnreachable } from "@user-service/client";
import { type ReactNode, useEffect, useState } from "react";
import { leave } from "@/lib/leave";
import { signInPath } from "@/lib/paths";
import { browserSupabase } from "@/lib/supabase/browser";
import { browserTransport } from "@/lib/user-service/browser";

/** How often an open page asks again while the service cannot be reached. */
const RECOVERY_MS = 3_000;

/** What the client components of the account stand on: the service, a cache, and the session. */
export function Providers({ userId, children }: { userId: string; children: ReactNode }) {
  const [transport] = useState(browserTransport);
  const [queries] = useState(
    () =>
      new QueryClient({
        defaultOptions: {
          queries: {
            retry: false, // a refused token is refreshed by the client; the rest is shown
            refetchInterval: ({ state }) => (isUnreachable(state.error) ? RECOVERY_MS : false),
          },
        },
      }),
  );
  useSessionOf(userId);

  return (
    <TransportProvider transport={transport}>
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    </TransportProvider>
  );
}

/** Leaves the page when the session ends or becomes another user's, here or in another tab. */
function useSessionOf(userId: string) {
  useEffect(() => {
    const { data } = browserSupabase().auth.onAuthStateChange((event, session) => {
      if (event === "SIGNED_OUT") void leave(signInPath("out"));
      else if (session && session.user.id !== userId) location.reload();
    });
    return () => data.subscription.unsubscribe();
  }, [userId]);
}
