"use client";

import { useQuery } from "@connectrpc/connect-query";
import { UserService } from "@user-service/client";
import { useRouter } from "next/navigation";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/button";
import { Skeleton } from "@/components/skeleton";
import { LiveStatus } from "./live-status";
import { RenameForm } from "./rename-form";

/** Who the user is, read live by the browser and read again when they come back to the page. */
export function Identity({ email }: { email: string }) {
  const query = useQuery(UserService.method.getName, {});
  const [rename, setRename] = useState<"closed" | "open" | "left">("closed");
  useRefreshOnRecovery(query.isError);
  const name = query.data?.fullName;
  const loading = query.isPending && query.fetchStatus === "fetching";

  return (
    <section className="identity" aria-label="Who you are">
      <span className={loading ? "avatar skeleton" : "avatar"} aria-hidden="true">
        {!loading && initials(name ?? email)}
      </span>
      <div className="identity-lines">
        <div className="identity-name">
          <h1 className={rename === "open" ? "visually-hidden" : name && name.length > 32 ? "long" : undefined}>
            <Name loading={loading} name={name} known={query.isSuccess} />
          </h1>
          {rename === "open" ? (
            <RenameForm name={name ?? ""} done={() => setRename("left")} />
          ) : (
            query.data && (
              <Button look="quiet" autoFocus={rename === "left"} onClick={() => setRename("open")}>
                {name ? "Rename" : "Add your name"}
              </Button>
            )
          )}
        </div>
        <p className="identity-meta">
          <span>{email}</span>
          <LiveStatus query={query} />
        </p>
      </div>
    </section>
  );
}

/** Has the server render anew once the service answers again: it may have failed there too. */
function useRefreshOnRecovery(failing: boolean) {
  const router = useRouter();
  const wasFailing = useRef(failing);
  useEffect(() => {
    if (wasFailing.current && !failing) router.refresh();
    wasFailing.current = failing;
  }, [failing, router]);
}

function Name({ loading, name, known }: { loading: boolean; name: string | undefined; known: boolean }) {
  if (loading) {
    return (
      <>
        <span className="visually-hidden">Loading your name</span>
        <Skeleton size="long" />
      </>
    );
  }
  if (name) return name;
  return known ? "No name yet" : "Your account";
}

/** The first letters of the first and last word. */
function initials(name: string): string {
  const words = name.split("@")[0]?.trim().split(/\s+/) ?? [];
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => [...(word ?? "")][0] ?? "");
  return letters.join("").toUpperCase();
}
