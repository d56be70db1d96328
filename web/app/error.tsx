"use client";

import { Button } from "@/components/button";

/** What the pages did not foresee. */
export default function ErrorPage({ reset }: { error: Error; reset: () => void }) {
  return (
    <main className="blank">
      <h1>Something went wrong</h1>
      <p>It is not your fault, and nothing of yours was lost.</p>
      <Button onClick={reset}>Try again</Button>
    </main>
  );
}
