/**
 * The three addresses the page needs. Next replaces `process.env.NEXT_PUBLIC_…` when it builds, and
 * only where the name stands in full: hence no loop.
 */
export const env = {
  supabaseUrl: needed("NEXT_PUBLIC_SUPABASE_URL", process.env.NEXT_PUBLIC_SUPABASE_URL),
  supabaseKey: needed("NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY", process.env.NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY),
  userServiceUrl: needed("NEXT_PUBLIC_USER_SERVICE_URL", process.env.NEXT_PUBLIC_USER_SERVICE_URL),
};

function needed(name: string, value: string | undefined): string {
  if (!value) throw new Error(`${name} is not set: copy .env.example to .env.local and fill it in`);
  return value;
}
