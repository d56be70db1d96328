/**
 * The messages that ProtoJSON writes in a form of their own.
 * https://protobuf.dev/programming-guides/json/
 */

const WRAPPERS = new Set(
  ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"].map((it) => `google.protobuf.${it}Value`),
);

/** A message's fields, from the message's ProtoJSON. */
export function fromJson(types, name, json, encode) {
  if (WRAPPERS.has(name)) return { value: json };
  switch (name) {
    case "google.protobuf.Timestamp":
      return timestamp(json);
    case "google.protobuf.Duration":
      return duration(json);
    case "google.protobuf.FieldMask":
      return { paths: json === "" ? [] : String(json).split(",").map(snakeCase) };
    case "google.protobuf.Struct":
      return { fields: json };
    case "google.protobuf.ListValue":
      return { values: json };
    case "google.protobuf.Value":
      return value(json);
    case "google.protobuf.Any": {
      const { "@type": type_url, ...rest } = json;
      const of = String(type_url).replace(/^.*\//, "");
      return { type_url, value: btoa(String.fromCharCode(...encode(types, of, hasOwnForm(of) ? rest.value : rest))) };
    }
    default:
      return json;
  }
}

/** A message's ProtoJSON, from its fields. */
export function toJson(types, name, message, decode) {
  if (WRAPPERS.has(name)) return message.value ?? { Bool: false, String: "", Bytes: "" }[name.slice(16, -5)] ?? (/64/.test(name) ? "0" : 0);
  switch (name) {
    case "google.protobuf.Timestamp": {
      const seconds = new Date(Number(message.seconds ?? 0) * 1000).toISOString().slice(0, 19);
      return `${seconds}${fraction(message.nanos)}Z`;
    }
    case "google.protobuf.Duration": {
      const [seconds, nanos] = [Number(message.seconds ?? 0), message.nanos ?? 0];
      return `${seconds < 0 || nanos < 0 ? "-" : ""}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`;
    }
    case "google.protobuf.FieldMask":
      return (message.paths ?? []).map(camelCase).join(",");
    case "google.protobuf.Struct":
      return message.fields ?? {};
    case "google.protobuf.ListValue":
      return message.values ?? [];
    case "google.protobuf.Value":
      return Object.values(message)[0] ?? null;
    case "google.protobuf.Any": {
      const of = String(message.type_url).replace(/^.*\//, "");
      if (!types.messages[of]) return { "@type": message.type_url, value: message.value };
      const bytes = Uint8Array.from(atob(message.value ?? ""), (char) => char.charCodeAt(0));
      const json = decode(types, of, bytes);
      return hasOwnForm(of) ? { "@type": message.type_url, value: json } : { "@type": message.type_url, ...json };
    }
    default:
      return message;
  }
}

const hasOwnForm = (name) => name.startsWith("google.protobuf.") && name !== "google.protobuf.Empty";

function timestamp(text) {
  const [, whole, nanos = ""] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  if (!whole) throw new Error("expected a time such as 2025-01-31T12:00:00Z");
  const zone = text.slice(text.search(/(Z|[+-]\d\d:\d\d)$/));
  return { seconds: Math.floor(Date.parse(whole + zone) / 1000), nanos: Number(nanos.padEnd(9, "0")) };
}

function duration(text) {
  const [, sign, seconds, nanos = ""] = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text) ?? [];
  if (!seconds) throw new Error("expected a duration such as 1.5s");
  const factor = sign ? -1 : 1;
  return { seconds: factor * Number(seconds), nanos: factor * Number(nanos.padEnd(9, "0")) };
}

/** Nanoseconds as ProtoJSON writes them: 0, 3, 6 or 9 digits. */
function fraction(nanos = 0) {
  if (nanos === 0) return "";
  return `.${String(nanos).padStart(9, "0").replace(/(000)+$/, "")}`;
}

function value(json) {
  if (json === null) return { null_value: 0 };
  if (Array.isArray(json)) return { list_value: json };
  const field = { number: "number_value", string: "string_value", boolean: "bool_value" }[typeof json];
  return { [field ?? "struct_value"]: json };
}

const camelCase = (path) => path.replace(/_([a-z0-9])/g, (_, char) => char.toUpperCase());
const snakeCase = (path) => path.trim().replace(/[A-Z]/g, (char) => `_${char.toLowerCase()}`);
