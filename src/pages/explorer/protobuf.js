/**
 * Protobuf's binary format, by descriptions of messages instead of generated code: turns ProtoJSON
 * (with the proto's own field names) into bytes and back.
 * https://protobuf.dev/programming-guides/encoding/
 */
import { fromJson, toJson } from "./well-known.js";

const VARINT = 0;
const I64 = 1;
const LENGTH = 2;
const I32 = 5;

/** @type {Record<string, { wire: number, write: (out: Writer, value: any) => void, read: (from: Reader) => any }>} */
const SCALARS = {
  double: fixed(I64, 8, "Float64", number, named),
  float: fixed(I32, 4, "Float32", number, named),
  int32: varint((value) => BigInt.asUintN(64, integer(value, -(2n ** 31n), 2n ** 31n)), (bits) => Number(BigInt.asIntN(32, bits))),
  uint32: varint((value) => integer(value, 0n, 2n ** 32n), (bits) => Number(BigInt.asUintN(32, bits))),
  sint32: varint((value) => zigzag(integer(value, -(2n ** 31n), 2n ** 31n)), (bits) => Number(unzigzag(bits))),
  int64: varint((value) => BigInt.asUintN(64, integer(value, -(2n ** 63n), 2n ** 63n)), (bits) => String(BigInt.asIntN(64, bits))),
  uint64: varint((value) => integer(value, 0n, 2n ** 64n), String),
  sint64: varint((value) => zigzag(integer(value, -(2n ** 63n), 2n ** 63n)), (bits) => String(unzigzag(bits))),
  fixed32: fixed(I32, 4, "Uint32", (value) => Number(integer(value, 0n, 2n ** 32n)), Number),
  sfixed32: fixed(I32, 4, "Int32", (value) => Number(integer(value, -(2n ** 31n), 2n ** 31n)), Number),
  fixed64: fixed(I64, 8, "BigUint64", (value) => integer(value, 0n, 2n ** 64n), String),
  sfixed64: fixed(I64, 8, "BigInt64", (value) => integer(value, -(2n ** 63n), 2n ** 63n), String),
  bool: varint((value) => (boolean(value) ? 1n : 0n), (bits) => bits !== 0n),
  string: {
    wire: LENGTH,
    write: (out, value) => out.bytes(new TextEncoder().encode(string(value))),
    read: (from) => new TextDecoder().decode(from.bytes()),
  },
  bytes: {
    wire: LENGTH,
    write: (out, value) => out.bytes(base64ToBytes(string(value))),
    read: (from) => bytesToBase64(from.bytes()),
  },
};

/**
 * Encodes a message from its ProtoJSON.
 * @throws {Error} in words for the user, when the JSON does not fit the message
 */
export function encode(types, name, json) {
  const out = new Writer();
  write(types, name, json, out);
  return out.finish();
}

/** Decodes a message into its ProtoJSON; what is not set is left out. */
export function decode(types, name, bytes) {
  const fields = new Map(fieldsOf(types, name).map((field) => [field.number, field]));
  const message = {};
  const from = new Reader(bytes);
  while (!from.atEnd()) {
    const tag = Number(from.varint());
    const field = fields.get(tag >>> 3);
    if (field) read(types, field, tag & 7, from, message);
    else from.skip(tag & 7);
  }
  return toJson(types, name, message, decode);
}

function write(types, name, json, out) {
  const message = fromJson(types, name, json, encode);
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw new Error(`${name} is written as an object`);
  }
  const fields = fieldsOf(types, name);
  for (const [key, value] of Object.entries(message)) {
    const field = fields.find((field) => field.name === key || field.json_name === key);
    if (!field) throw new Error(`${name} has no field ${key}`);
    if (value === null && field.of !== "google.protobuf.Value") continue;
    try {
      writeField(types, field, value, out);
    } catch (error) {
      throw new Error(`${key}: ${error.message}`);
    }
  }
}

function writeField(types, field, value, out) {
  if (field.map) {
    for (const [key, inside] of Object.entries(value)) writeOne(types, field, { key, value: inside }, out);
  } else if (field.list) {
    if (!Array.isArray(value)) throw new Error("expected a list");
    for (const item of value) writeOne(types, field, item, out);
  } else {
    writeOne(types, field, value, out);
  }
}

function writeOne(types, field, value, out) {
  const scalar = scalarOf(types, field);
  out.varint(BigInt(field.number * 8 + (scalar?.wire ?? LENGTH)));
  if (scalar) scalar.write(out, value);
  else out.bytes(encode(types, field.of, value));
}

function read(types, field, wire, from, message) {
  const scalar = scalarOf(types, field);
  const one = (from) => (scalar ? scalar.read(from) : decode(types, field.of, from.bytes()));
  if (field.map) {
    const entry = one(from);
    const value = fieldsOf(types, field.of).find(({ name }) => name === "value");
    message[field.name] ??= {};
    message[field.name][entry.key ?? unset(types, keyOf(types, field))] = entry.value ?? unset(types, value);
  } else if (field.list) {
    message[field.name] ??= [];
    // Numbers come packed: many in one field.
    if (wire === LENGTH && scalar && scalar.wire !== LENGTH) {
      const packed = new Reader(from.bytes());
      while (!packed.atEnd()) message[field.name].push(one(packed));
    } else {
      message[field.name].push(one(from));
    }
  } else {
    message[field.name] = one(from);
  }
}

const keyOf = (types, field) => fieldsOf(types, field.of).find(({ name }) => name === "key");

/** What a map's key or value is when its entry leaves it out. */
function unset(types, field) {
  const scalar = scalarOf(types, field);
  if (!scalar) return decode(types, field.of, new Uint8Array());
  return scalar.read(new Reader(new Uint8Array(8)));
}

function scalarOf(types, field) {
  if (field.kind === "message") return undefined;
  if (field.kind !== "enum") return SCALARS[field.kind];
  const values = types.enums[field.of];
  const isNull = field.of === "google.protobuf.NullValue";
  return varint(
    (value) => {
      const known = isNull && value === null ? 0 : values[value];
      if (known === undefined && typeof value === "string") throw new Error(`${field.of} has no value ${value}`);
      return BigInt.asUintN(64, integer(known ?? value, -(2n ** 31n), 2n ** 31n));
    },
    (bits) => {
      const number = Number(BigInt.asIntN(32, bits));
      if (isNull) return null;
      return Object.keys(values).find((name) => values[name] === number) ?? number;
    },
  );
}

function fieldsOf(types, name) {
  const fields = types.messages[name];
  if (!fields) throw new Error(`the page does not know ${name}`);
  return fields;
}

function varint(toBits, fromBits) {
  return {
    wire: VARINT,
    write: (out, value) => out.varint(toBits(value)),
    read: (from) => fromBits(from.varint()),
  };
}

function fixed(wire, size, type, check, show) {
  return {
    wire,
    write: (out, value) => {
      const bytes = new Uint8Array(size);
      new DataView(bytes.buffer)[`set${type}`](0, check(value), true);
      out.raw(bytes);
    },
    read: (from) => {
      const bytes = from.raw(size);
      return show(new DataView(bytes.buffer, bytes.byteOffset, size)[`get${type}`](0, true));
    },
  };
}

const zigzag = (value) => BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
const unzigzag = (bits) => (bits >> 1n) ^ -(bits & 1n);

/** A whole number from `from` up to, not including, `to`. */
function integer(value, from, to) {
  const isNumber = typeof value === "number" ? Number.isInteger(value) : /^-?\d+(\.0+)?$/.test(value);
  if (!isNumber) throw new Error("expected a whole number");
  const number = BigInt(typeof value === "string" ? value.replace(/\..*/, "") : value);
  if (number < from || number >= to) throw new Error("the number is out of range");
  return number;
}

function number(value) {
  if (value === "NaN") return Number.NaN;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || Number.isNaN(number)) throw new Error("expected a number");
  return number;
}

/** JSON has no numeral for these three. */
function named(value) {
  return Number.isFinite(value) ? value : String(value);
}

function boolean(value) {
  if (typeof value === "boolean") return value;
  if (value === "true" || value === "false") return value === "true"; // a map's key
  throw new Error("expected true or false");
}

function string(value) {
  if (typeof value !== "string") throw new Error("expected a string");
  return value;
}

/** Standard or URL-safe, with or without padding. */
export function base64ToBytes(text) {
  let binary;
  try {
    binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new Error("expected base64");
  }
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

const bytesToBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

class Writer {
  #bytes = [];

  varint(bits) {
    for (; bits > 127n; bits >>= 7n) this.#bytes.push(Number(bits & 127n) | 128);
    this.#bytes.push(Number(bits));
  }

  bytes(bytes) {
    this.varint(BigInt(bytes.length));
    this.raw(bytes);
  }

  raw(bytes) {
    for (const byte of bytes) this.#bytes.push(byte);
  }

  finish() {
    return Uint8Array.from(this.#bytes);
  }
}

class Reader {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  atEnd() {
    return this.#at >= this.#bytes.length;
  }

  varint() {
    let bits = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const [byte] = this.raw(1);
      bits |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, bits);
    }
    throw new Error("a number has no end");
  }

  bytes() {
    return this.raw(Number(this.varint()));
  }

  raw(size) {
    if (this.#at + size > this.#bytes.length) throw new Error("the message is cut short");
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  skip(wire) {
    if (wire === VARINT) this.varint();
    else if (wire === I64) this.raw(8);
    else if (wire === LENGTH) this.bytes();
    else if (wire === I32) this.raw(4);
    else throw new Error("the message has a field of an unknown form");
  }
}
