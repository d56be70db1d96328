import { redirect } from "next/navigation";
import { HOME } from "@/lib/paths";

export default function Page() {
  redirect(HOME);
}
