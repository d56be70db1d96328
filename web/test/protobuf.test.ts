/** The protobuf codec of the page that the service serves at `/`, which works from descriptions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "../../src/pages/explorer/protobuf.js";

interface Field {
  readonly name: string;
  readonly json_name: string;
  readonly number: number;
  readonly kind: string;
  readonly of: string | null;
  readonly list: boolean;
  readonly map: boolean;
}

const field = (number: number, name: string, kind: string, more: Partial<Field> = {}): Field => ({
  name,
  json_name: name.replace(/_(.)/g, (_, char: string) => char.toUpperCase()),
  number,
  kind,
  of: null,
  list: false,
  map: false,
  ...more,
});

const message = (number: number, name: string, of: string, more: Partial<Field> = {}) =>
  field(number, name, "message", { of, ...more });

const types = {
  messages: {
    Test: [
      field(1, "an_int32", "int32"),
      field(2, "a_string", "string"),
      message(3, "inside", "Test"),
      field(4, "an_int64", "int64"),
      field(5, "a_uint64", "uint64"),
      field(6, "numbers", "int32", { list: true }),
      field(7, "a_sint32", "sint32"),
      field(8, "a_bool", "bool"),
      field(9, "a_double", "double"),
      field(10, "a_float", "float"),
      field(11, "a_fixed64", "fixed64"),
      field(12, "a_sfixed32", "sfixed32"),
      field(13, "some_bytes", "bytes"),
      field(14, "color", "enum", { of: "Color" }),
      message(15, "by_name", "Test.ByNameEntry", { list: false, map: true }),
      message(16, "time", "google.protobuf.Timestamp"),
      message(17, "duration", "google.protobuf.Duration"),
      message(18, "mask", "google.protobuf.FieldMask"),
      message(19, "maybe", "google.protobuf.Int64Value"),
      message(20, "free", "google.protobuf.Struct"),
      message(21, "any", "google.protobuf.Any"),
      field(22, "texts", "string", { list: true }),
    ],
    "Test.ByNameEntry": [field(1, "key", "string"), field(2, "value", "int32")],
    "google.protobuf.Timestamp": [field(1, "seconds", "int64"), field(2, "nanos", "int32")],
    "google.protobuf.Duration": [field(1, "seconds", "int64"), field(2, "nanos", "int32")],
    "google.protobuf.FieldMask": [field(1, "paths", "string", { list: true })],
    "google.protobuf.Int64Value": [field(1, "value", "int64")],
    "google.protobuf.Any": [field(1, "type_url", "string"), field(2, "value", "bytes")],
    "google.protobuf.Struct": [message(1, "fields", "google.protobuf.Struct.FieldsEntry", { map: true })],
    "google.protobuf.Struct.FieldsEntry": [field(1, "key", "string"), message(2, "value", "google.protobuf.Value")],
    "google.protobuf.ListValue": [message(1, "values", "google.protobuf.Value", { list: true })],
    "google.protobuf.Value": [
      field(1, "null_value", "enum", { of: "google.protobuf.NullValue" }),
      field(2, "number_value", "double"),
      field(3, "string_value", "string"),
      field(4, "bool_value", "bool"),
      message(5, "struct_value", "google.protobuf.Struct"),
      message(6, "list_value", "google.protobuf.ListValue"),
    ],
  },
  enums: { Color: { COLOR_UNSPECIFIED: 0, COLOR_RED: 1 }, "google.protobuf.NullValue": { NULL_VALUE: 0 } },
};

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));

/** JSON that is written as it is read, and its bytes. */
const PAIRS: readonly (readonly [object, string])[] = [
  // From protobuf.dev/programming-guides/encoding.
  [{ an_int32: 150 }, "089601"],
  [{ a_string: "testing" }, "120774657374696e67"],
  [{ inside: { an_int32: 150 } }, "1a03089601"],
  [{ an_int32: -2 }, "08feffffffffffffffff01"],
  [{ a_sint32: -2 }, "3803"],
  [{ an_int64: "-9223372036854775808" }, "2080808080808080808001"],
  [{ a_uint64: "18446744073709551615" }, "28ffffffffffffffffff01"],
  [{ a_bool: true }, "4001"],
  [{ a_double: 1.5 }, "49000000000000f83f"],
  [{ a_double: "-Infinity" }, "49000000000000f0ff"],
  [{ a_float: 1.5 }, "550000c03f"],
  [{ a_fixed64: "1" }, "590100000000000000"],
  [{ a_sfixed32: -1 }, "65ffffffff"],
  [{ some_bytes: "AP8=" }, "6a0200ff"],
  [{ color: "COLOR_RED" }, "7001"],
  [{ color: 7 }, "7007"],
  [{ by_name: { a: 1 } }, "7a050a01611001"],
  [{ time: "1970-01-01T00:00:01.500Z" }, "820108080110" + "80cab5ee01"],
  [{ duration: "-1.500s" }, "8a01" + "16" + "08ffffffffffffffffff01" + "10" + "80b6ca91feffffffff01"],
  [{ mask: "fullName,a.bC" }, "920112" + "0a0966756c6c5f6e616d65" + "0a05612e625f63"],
  [{ maybe: "5" }, "9a01020805"],
  [{ texts: ["", "a"] }, "b20100b2010161"],
];

test("bytes are as the encoding has them, in both directions", () => {
  for (const [json, expected] of PAIRS) {
    assert.equal(hex(encode(types, "Test", json)), expected, JSON.stringify(json));
    assert.deepEqual(decode(types, "Test", bytes(expected)), json, expected);
  }
});

test("free JSON and Any survive the way through bytes", () => {
  for (const json of [
    { free: { a: null, b: [1, "x", true, {}], c: { d: -0.5 } } },
    { any: { "@type": "type.googleapis.com/Test", an_int32: 1 } },
    { any: { "@type": "type.googleapis.com/google.protobuf.Duration", value: "3s" } },
  ]) {
    assert.deepEqual(decode(types, "Test", encode(types, "Test", json)), json);
  }
});

test("numbers are read packed and one by one, fields that are unknown are passed over", () => {
  assert.deepEqual(decode(types, "Test", bytes("3206038e029ea705")), { numbers: [3, 270, 86942] });
  assert.deepEqual(decode(types, "Test", bytes("30033004")), { numbers: [3, 4] });
  assert.deepEqual(decode(types, "Test", bytes("9a06020102" + "980601" + "0801")), { an_int32: 1 });
});

test("both names are read, and null is nothing", () => {
  assert.equal(hex(encode(types, "Test", { anInt32: "150", aString: null })), "089601");
});

test("what does not fit is refused in words", () => {
  for (const [json, words] of [
    [{ nothing: 1 }, "Test has no field nothing"],
    [{ an_int32: 2 ** 31 }, "an_int32: the number is out of range"],
    [{ an_int32: 1.5 }, "an_int32: expected a whole number"],
    [{ a_string: 1 }, "a_string: expected a string"],
    [{ inside: { a_bool: "yes" } }, "inside: a_bool: expected true or false"],
    [{ numbers: 1 }, "numbers: expected a list"],
    [{ color: "COLOR_PLAID" }, "color: Color has no value COLOR_PLAID"],
    [{ time: "yesterday" }, "time: expected a time such as 2025-01-31T12:00:00Z"],
    [{ inside: [] }, "inside: Test is written as an object"],
  ] as const) {
    assert.throws(() => encode(types, "Test", json), { message: words });
  }
  for (const cut of ["08", "1205", "0fff"]) assert.throws(() => decode(types, "Test", bytes(cut)));
});
