/** Calls an RPC over either wire, and tells all that was sent and all that came back. */
import { base64ToBytes, decode, encode } from "./protobuf.js";

/** https://grpc.io/docs/guides/status-codes/ */
const CODES = [
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
  "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
];
/** The flag of a gRPC-Web frame that holds trailers instead of a message. */
const TRAILERS = 0x80;

/**
 * What goes over the wire for a call.
 * @typedef {{ method: string, url: string, headers: Record<string, string>, body?: string | Uint8Array }} Sent
 */

/**
 * The request of a gRPC-Web call.
 * @returns {Sent}
 */
export function grpcWebRequest(api, rpc, message, { token, timeout }) {
  const bytes = encode(api, rpc.input, message);
  const body = new Uint8Array(5 + bytes.length);
  new DataView(body.buffer).setUint32(1, bytes.length);
  body.set(bytes, 5);
  const headers = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1", ...common(token, timeout) };
  return { method: "POST", url: `/${rpc.service}/${rpc.name}`, headers, body };
}

/**
 * The request of a JSON call: the binding's path takes its fields, its body the next, the query the rest.
 * @returns {Sent}
 */
export function jsonRequest(binding, message, { token, timeout }) {
  const rest = structuredClone(message);
  let path = binding.template.replace(/\{([^}=]+)(=[^}]*)?\}/g, (_, field, pattern) => {
    const value = take(rest, field.split("."));
    if (value === undefined || value === "") throw new Error(`the path needs the field ${field}`);
    return pattern ? String(value).split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
  });
  const headers = common(token, timeout);
  let body;
  if (binding.body) {
    const content = binding.body === "*" ? rest : (take(rest, [binding.body]) ?? {});
    body = JSON.stringify(content);
    headers["content-type"] = "application/json";
  }
  if (binding.body !== "*") {
    const query = new URLSearchParams(parameters(rest)).toString();
    if (query) path += `?${query}`;
  }
  return { method: binding.method, url: path, headers, body };
}

const common = (token, timeout) => ({
  ...(token && { authorization: `Bearer ${token}` }),
  ...(timeout && { "grpc-timeout": `${timeout}m` }),
});

/** Takes a field out of a message. */
function take(message, [name, ...inside]) {
  if (typeof message !== "object" || message === null) return undefined;
  if (inside.length > 0) return take(message[name], inside);
  const value = message[name];
  delete message[name];
  return value;
}

/** A message's fields as query parameters; fields inside it by their path. */
function parameters(message, prefix = "") {
  return Object.entries(message).flatMap(([name, value]) => {
    if (value === null) return [];
    if (Array.isArray(value)) return value.map((item) => [prefix + name, String(item)]);
    if (typeof value === "object") return parameters(value, `${prefix}${name}.`);
    return [[prefix + name, String(value)]];
  });
}

/**
 * Sends a request, and calls `show` with what is known whenever more is.
 *
 * @param {Sent} sent
 * @param {(answer: Answer) => void} show
 * @typedef {{ http?: number, code?: string, reason?: string, message?: string, headers: [string, string][],
 *   trailers: [string, string][], messages: any[], milliseconds: number, bytes: number, failed?: string,
 *   done: boolean }} Answer
 */
export async function call(api, rpc, sent, signal, show) {
  const answer = { headers: [], trailers: [], messages: [], bytes: 0, milliseconds: 0, done: false };
  const begin = performance.now();
  const tell = () => {
    answer.milliseconds = performance.now() - begin;
    show(answer);
  };
  try {
    const { url, ...request } = sent;
    const response = await fetch(url, { ...request, signal, credentials: "omit", cache: "no-store", redirect: "error" });
    answer.http = response.status;
    answer.headers = [...response.headers];
    const isGrpcWeb = (response.headers.get("content-type") ?? "").startsWith("application/grpc-web");
    const read = isGrpcWeb ? grpcWebReader(api, rpc, answer) : jsonReader(response.headers, answer);
    const reader = response.body?.getReader();
    for (let chunk; reader && !(chunk = await reader.read()).done; ) {
      answer.bytes += chunk.value.length;
      read.chunk(chunk.value);
      if (rpc.server_streaming) tell();
    }
    read.end();
  } catch (error) {
    answer.failed = signal.aborted ? "Stopped." : error instanceof TypeError ? "The service could not be reached." : error.message;
  }
  answer.done = true;
  tell();
}

/** Frames of messages, and one of trailers; or, of an error before any message, the headers. */
function grpcWebReader(api, rpc, answer) {
  let rest = new Uint8Array();
  return {
    chunk(bytes) {
      rest = Uint8Array.from([...rest, ...bytes]);
      while (rest.length >= 5) {
        const length = new DataView(rest.buffer).getUint32(1);
        if (rest.length < 5 + length) break;
        const content = rest.subarray(5, 5 + length);
        if (rest[0] & TRAILERS) answer.trailers = parseTrailers(new TextDecoder().decode(content));
        else answer.messages.push(decode(api, rpc.output, content));
        rest = rest.slice(5 + length);
      }
    },
    end() {
      const metadata = new Map(answer.trailers.length ? answer.trailers : answer.headers);
      const code = Number(metadata.get("grpc-status") ?? Number.NaN);
      answer.code = CODES[code];
      if (Number.isNaN(code)) throw new Error("The answer has no status.");
      if (code === 0) return;
      const details = metadata.get("grpc-status-details-bin");
      const status = details
        ? decode(api, "google.rpc.Status", base64ToBytes(details))
        : { code, message: percentDecode(metadata.get("grpc-message") ?? "") };
      showStatus(answer, status);
    },
  };
}

/** One JSON document, or one a line, or server-sent events. */
function jsonReader(headers, answer) {
  const decoder = new TextDecoder();
  const isLines = (headers.get("content-type") ?? "").startsWith("application/x-ndjson");
  let text = "";
  return {
    chunk(bytes) {
      text += decoder.decode(bytes, { stream: true });
      if (!isLines) return;
      const lines = text.split("\n");
      text = lines.pop();
      answer.messages.push(...lines.filter(Boolean).map((line) => JSON.parse(line)));
    },
    end() {
      if (text.trim()) answer.messages.push(parse(text));
      const last = answer.messages.at(-1);
      if (answer.http >= 400) showStatus(answer, answer.messages.pop() ?? {});
      else if (isLines && last?.error) showStatus(answer, answer.messages.pop().error);
      else answer.code = "OK";
    },
  };
}

function showStatus(answer, status) {
  answer.code = CODES[status.code];
  answer.message = status.message;
  answer.reason = status.details?.find(({ reason }) => reason)?.reason;
  answer.messages.push(status);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const parseTrailers = (text) =>
  text.split("\r\n").filter(Boolean).map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  });

function percentDecode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
