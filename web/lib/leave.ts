/**
 * Leaves for another page by a real navigation, which forgets all that this one knew: the name it
 * showed, and where the router was sent when nobody was signed in. The promise never resolves, so
 * that whatever waits for it stays busy until the page is gone.
 */
export function leave(path: string): Promise<never> {
  settleCookies();
  location.replace(path);
  return new Promise(() => {});
}

/**
 * Waits until the cookies that were written are stored. Chromium stores them in the background, and
 * a navigation may overtake that: it would leave without the session that was just begun. Reading
 * them waits for what was written before.
 */
function settleCookies() {
  void document.cookie;
}
