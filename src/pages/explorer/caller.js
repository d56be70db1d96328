/** Who calls: signing in at the project or pasting a token, and what the token says. */
import { $, element, highlighted, tabs } from "./dom.js";

const SHOWN = ["sub", "email", "role", "aal", "is_anonymous", "session_id", "iss", "aud", "iat", "exp"];

/**
 * Sets the part up.
 * @returns {{ token: () => string }} the token to call with; empty without one
 */
export function caller(api, changed) {
  /** @type {{ access_token: string, refresh_token?: string } | undefined} */
  let session;
  const select = tabs($("caller-tabs"));
  if (!api.project) {
    $("sign-in-tab").hidden = true;
    select("paste-tab");
  }

  const set = (next) => {
    session = next;
    $("identity").hidden = !session;
    $("entrance").hidden = Boolean(session);
    $("refresh").hidden = !session?.refresh_token;
    if (session) showToken(session.access_token);
    // On a phone the call would be far below.
    $("says").open = matchMedia("(min-width: 861px)").matches;
    changed();
  };
  const grant = async (type, body) => {
    const url = new URL(`token?grant_type=${type}`, api.project.auth);
    const headers = { "content-type": "application/json", apikey: api.project.key };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), credentials: "omit" });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.msg ?? answer.message ?? answer.error_description ?? `HTTP ${response.status}`);
    return answer;
  };
  const attempt = async (button, problem, work) => {
    button.disabled = true;
    problem.textContent = "";
    try {
      await work();
    } catch (error) {
      problem.textContent = error instanceof TypeError ? "The project could not be reached." : error.message;
    }
    button.disabled = false;
  };

  $("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    const { email, password } = event.target.elements;
    attempt($("sign-in-button"), $("sign-in-problem"), async () => {
      set(await grant("password", { email: email.value, password: password.value }));
      password.value = "";
      $("forget").focus();
    });
  });
  $("refresh").addEventListener("click", () =>
    attempt($("refresh"), $("identity-problem"), async () => {
      set(await grant("refresh_token", { refresh_token: session.refresh_token }));
    }),
  );
  $("paste").addEventListener("submit", (event) => {
    event.preventDefault();
    const { token } = event.target.elements;
    const text = token.value.trim().replace(/^Bearer\s+/i, "");
    token.value = "";
    if (text) {
      set({ access_token: text });
      $("forget").focus();
    }
  });
  $("forget").addEventListener("click", () => {
    set(undefined);
    $("caller-tabs").querySelector("[aria-selected=true]").focus();
  });
  setInterval(() => session && showEnd(claimsOf(session.access_token)), 1000);
  return { token: () => session?.access_token ?? "" };
}

/** The part of a token with this number, without any check; `undefined` where it is not JSON. */
function part(token, index) {
  try {
    const binary = atob(token.split(".")[index].replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0))));
  } catch {
    return undefined;
  }
}

const claimsOf = (token) => part(token, 1);

function showToken(token) {
  const [header, claims] = [part(token, 0), claimsOf(token)];
  $("identity-problem").textContent = claims ? "" : "This is not a token in the form of a JWT. It is sent all the same.";
  $("name").textContent = claims?.email || claims?.sub || "A token";
  $("claims").replaceChildren(
    ...SHOWN.filter((name) => claims?.[name] !== undefined && claims[name] !== "").flatMap((name) => [
      element("dt", {}, name),
      element("dd", {}, ["iat", "exp"].includes(name) ? time(claims[name]) : String(claims[name])),
    ]),
  );
  $("token-json").replaceChildren(...(claims ? highlighted({ header, payload: claims }) : [token]));
  showEnd(claims);
}

const time = (seconds) => new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** How long the token is good, in words and as a bar. */
function showEnd(claims) {
  const bar = $("life");
  const end = Number(claims?.exp);
  bar.hidden = !end;
  $("ends").hidden = !end;
  if (!end) return;
  const left = Math.round(end - Date.now() / 1000);
  $("ends").textContent = left > 0 ? `ends in ${span(left)}` : `ended ${span(-left)} ago`;
  $("ends").dataset.state = left > 300 ? "good" : left > 0 ? "soon" : "over";
  const whole = end - Number(claims.iat ?? end - 3600);
  bar.max = Math.max(whole, 1);
  bar.value = Math.max(left, 0);
}

function span(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
