/**
 * Leaves for another page by a real navigation, which forgets all that this one knew: the name it
 * showed, and where the router was sent when nobody was signed in. The promise never resolves, so
 * that whatever waits for it stays busy until the page is gone.
 */
export function leave(path: string): Promise<never> {
  location.replace(path);
  return new Promise(() => {});
}
