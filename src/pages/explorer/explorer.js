/** The page at `/`. What it knows of the service comes from `/explorer/api.json`. */
import { call, grpcWebRequest, jsonRequest } from "./call.js";
import { caller } from "./caller.js";
import { curl, grpcurl } from "./commands.js";
import { $, copyButton, element, highlighted, prose, tabs } from "./dom.js";

const api = await (await fetch("/explorer/api.json")).json();
const form = $("call");
const requests = new Map();
let rpc = api.rpcs[0];
let running;

$("version").textContent = api.version;
$("docs-link").hidden = !api.docs;
const { token } = caller(api, () => showCommands());
const showAnswerTab = tabs($("answer-tabs"));
tabs($("command-tabs"));
copyButton($("copy-answer"), () => shown("answer", "headers", "sent"));
copyButton($("copy-command"), () => shown("curl", "grpcurl"));
showRpcs();
choose(rpc);
showCommands();

form.addEventListener("input", (event) => {
  if (event.target.name === "rpc") choose(api.rpcs[event.target.value]);
  if (event.target.name === "request") requests.set(rpc, event.target.value);
  if (event.target.name === "wire") showWire();
  showCommands();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
$("stop").addEventListener("click", () => running?.abort());

/** The RPCs to choose from. */
function showRpcs() {
  $("rpcs").append(
    ...api.rpcs.map((it, index) =>
      element(
        "label",
        { class: "rpc" },
        element("input", { type: "radio", name: "rpc", value: String(index), checked: it === rpc }),
        element(
          "span",
          { class: "rpc-text" },
          element("span", { class: "rpc-name" }, it.name),
          element("span", { class: "rpc-service" }, it.service),
          element("span", { class: "rpc-comment" }, prose(it.comment.split("\n\n")[0])),
        ),
        element("span", { class: "badge" }, it.access),
      ),
    ),
  );
}

/** Shows the form of an RPC. */
function choose(chosen) {
  rpc = chosen;
  const request = form.elements.request;
  request.value = requests.get(rpc) ?? JSON.stringify(template(rpc.input), null, 2);
  request.rows = Math.min(Math.max(request.value.split("\n").length, 2), 16);
  $("binding").replaceChildren(
    ...rpc.bindings.map(({ method, template }, index) => element("option", { value: String(index) }, `${method} ${template}`)),
  );
  const fields = api.messages[rpc.input];
  $("fields").replaceChildren(
    ...fields.flatMap((field) => [
      element("dt", {}, element("code", {}, field.name), " ", element("span", { class: "type" }, typeOf(field))),
      element("dd", {}, prose(field.comment)),
    ]),
  );
  $("no-fields").hidden = fields.length > 0;
  $("input-name").textContent = rpc.input;
  $("send").disabled = rpc.client_streaming;
  $("only-grpc").hidden = !rpc.client_streaming;
  showWire();
}

function showWire() {
  $("binding-field").hidden = form.elements.wire.value !== "json";
}

/** A request with every field that is plain, as a start. */
function template(name) {
  const plain = { string: "", bool: false, double: 0, float: 0, bytes: "" };
  const fields = api.messages[name].map((field) => {
    const value = field.map ? {} : field.list ? [] : field.of ? undefined : (plain[field.kind] ?? 0);
    return [field.name, value];
  });
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

const typeOf = (field) => {
  if (field.map) {
    const [key, value] = api.messages[field.of];
    return `map<${typeOf(key)}, ${typeOf(value)}>`;
  }
  return (field.list ? "repeated " : "") + (field.of ?? field.kind);
};

/** What the form says, read. Throws in words for the user. */
function read() {
  let message;
  try {
    message = JSON.parse(form.elements.request.value.trim() || "{}");
  } catch {
    throw new Error("The request is not valid JSON.");
  }
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw new Error("The request must be a JSON object.");
  }
  const options = {
    token: form.elements.authorized.checked ? token() : "",
    timeout: form.elements.timeout.valueAsNumber || 0,
  };
  const binding = rpc.bindings[form.elements.binding.value] ?? rpc.bindings[0];
  const isJson = form.elements.wire.value === "json";
  const build = isJson ? () => jsonRequest(binding, message, options) : () => grpcWebRequest(api, rpc, message, options);
  return { message, options, binding, build };
}

function showCommands() {
  $("request-problem").textContent = "";
  try {
    const { message, options, binding } = read();
    $("curl").textContent = curl(jsonRequest(binding, message, options), options.token);
    $("grpcurl").textContent = grpcurl(api, rpc, message, options);
  } catch (error) {
    $("request-problem").textContent = error.message;
  }
}

async function send() {
  let sent;
  try {
    sent = read().build();
  } catch (error) {
    $("request-problem").textContent = error.message;
    form.elements.request.focus();
    return;
  }
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  $("stop").hidden = false;
  $("result").hidden = false;
  $("result").dataset.state = "running";
  showSent(sent);
  showAnswerTab("answer-tab");
  await call(api, rpc, sent, signal, (answer) => {
    if (running.signal === signal) showAnswer(answer);
  });
  if (running.signal === signal) $("stop").hidden = true;
}

function showSent({ method, url, headers, body }) {
  const lines = Object.entries(headers).map(([name, value]) =>
    `${name}: ${name === "authorization" && value.length > 40 ? `${value.slice(0, 24)}… (${value.length} characters)` : value}`,
  );
  const content = body === undefined ? "" : typeof body === "string" ? `\n\n${body}` : `\n\n${hex(body)}`;
  $("sent").textContent = `${method} ${url}\n${lines.join("\n")}${content}`;
}

function showAnswer(answer) {
  const { http, code, reason, messages, failed } = answer;
  $("result").dataset.state = failed ? "failed" : !answer.done ? "running" : code === "OK" ? "good" : "failed";
  $("code").textContent = failed ? "No answer" : (code ?? "…");
  $("reason").textContent = reason ?? "";
  $("http").textContent = http ? `HTTP ${http}` : "";
  $("time").textContent = `${answer.milliseconds.toFixed(answer.milliseconds < 10 ? 1 : 0)} ms`;
  $("size").textContent = `${answer.bytes} bytes`;
  const texts = failed ? [...messages.map(pretty), failed] : messages.map(pretty);
  $("answer").replaceChildren(...highlighted(texts.join("\n\n") || "No message."));
  const pairs = (list) => list.map(([name, value]) => `${name}: ${value}`).join("\n");
  const trailers = answer.trailers.length ? `\n\nTrailers\n${pairs(answer.trailers)}` : "";
  $("headers").textContent = `${pairs(answer.headers)}${trailers}`;
}

/** The text of the panel that is shown. */
const shown = (...panels) => $(panels.find((id) => !$(id).hidden)).textContent;

const pretty = (message) => (typeof message === "string" ? message : JSON.stringify(message, null, 2));

/** Bytes as editors show them: sixteen a line, and what of them is text. */
function hex(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = [...bytes.subarray(at, at + 16)];
    const digits = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = line.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${digits.padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}
