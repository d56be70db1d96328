"use server";

import { refresh } from "next/cache";
import { describe, type Failure, nameError } from "@/lib/failure";
import { userService } from "@/lib/user-service/server";

/** What the name form shows after it was sent. */
export interface NameFormState {
  readonly saved?: boolean;
  /** What was entered and not taken, so that it can be mended. */
  readonly refused?: string;
  /** What the service says about the name. */
  readonly fieldError?: string | undefined;
  /** Why it could not be saved, where the name is not to blame. */
  readonly failure?: Failure;
}

/** Changes the name on the server. */
export async function saveName(_: NameFormState, form: FormData): Promise<NameFormState> {
  const entered = form.get("full_name");
  const fullName = typeof entered === "string" ? entered : "";
  try {
    const service = await userService();
    await service.updateName({ fullName });
    refresh(); // the page is rendered anew, with the name as stored
    return { saved: true };
  } catch (error) {
    const fieldError = nameError(error);
    return fieldError ? { refused: fullName, fieldError } : { refused: fullName, failure: describe(error) };
  }
}
