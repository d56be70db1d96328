//! Messages as JSON Schemas, in ProtoJSON: <https://protobuf.dev/programming-guides/json/>.

use std::collections::{BTreeMap, HashSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::json;
use utoipa::openapi::{
    AllOf, ArrayBuilder, KnownFormat, Object, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema,
    SchemaFormat, Type,
    schema::{AdditionalProperties, SchemaType},
};

use super::comments::comment;
use crate::limits::Text;

type Described = RefOr<Schema>;

/// The schemas of a document: those that were referred to, and those that these refer to.
pub(super) struct Schemas {
    /// Messages that requests are made of: there a field that is unknown is refused.
    requests: HashSet<String>,
    done: BTreeMap<String, Described>,
}

impl Schemas {
    /// `inputs` are the messages of requests.
    pub(super) fn new(inputs: impl Iterator<Item = MessageDescriptor>) -> Self {
        let mut requests = HashSet::new();
        let mut open: Vec<_> = inputs.collect();
        while let Some(message) = open.pop() {
            if requests.insert(message.full_name().to_owned()) {
                open.extend(message.fields().filter_map(|field| match field.kind() {
                    Kind::Message(inside) => Some(inside),
                    _ => None,
                }));
            }
        }
        Self { requests, done: BTreeMap::new() }
    }

    /// All of them, by name.
    pub(super) fn finish(self) -> BTreeMap<String, Described> {
        self.done
    }

    /// Adds a schema that no descriptor describes.
    pub(super) fn add(&mut self, name: &str, schema: impl Into<Described>) -> Ref {
        self.done.insert(name.to_owned(), schema.into());
        Ref::from_schema_name(name)
    }

    /// A message: by reference, or in place where ProtoJSON has a form of its own for it.
    pub(super) fn message(&mut self, message: &MessageDescriptor) -> Described {
        if let Some(schema) = well_known(message.full_name()) {
            return schema;
        }
        let name = message.full_name();
        if !self.done.contains_key(name) {
            self.done.insert(name.to_owned(), Ref::default().into()); // ends recursion
            let object = self.object(message, &[]);
            self.done.insert(name.to_owned(), object.into());
        }
        Ref::from_schema_name(name).into()
    }

    /// A message's fields, but for some.
    pub(super) fn object(
        &mut self,
        message: &MessageDescriptor,
        without: &[FieldDescriptor],
    ) -> ObjectBuilder {
        let mut object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(comment(&message.parent_file(), message.path()));
        let of_request = self.requests.contains(message.full_name());
        if of_request {
            object = object.additional_properties(Some(AdditionalProperties::FreeForm(false)));
        }
        for field in message.fields().filter(|field| !without.contains(field)) {
            object = object.property(field.name(), self.described_field(&field));
            if of_request && is_required(&field) {
                object = object.required(field.name());
            }
        }
        object
    }

    /// A field's value, with its comment.
    pub(super) fn described_field(&mut self, field: &FieldDescriptor) -> Described {
        let comment = comment(&field.parent_message().parent_file(), field.path());
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()).map(|oneof| {
            let names: Vec<_> = oneof.fields().map(|it| format!("`{}`", it.name())).collect();
            format!("At most one of {}.", names.join(", "))
        });
        let texts: Vec<_> = comment.into_iter().chain(oneof).collect();
        describe(self.field(field), texts.join("\n\n"))
    }

    /// A field's value.
    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Described {
        if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
            let value = self.value(&entry.map_entry_value_field());
            return ObjectBuilder::new()
                .schema_type(Type::Object)
                .additional_properties(Some(AdditionalProperties::RefOr(value)))
                .into();
        }
        let value = self.value(field);
        if field.is_list() { array(value) } else { value }
    }

    /// One value of a field.
    pub(super) fn value(&mut self, field: &FieldDescriptor) -> Described {
        match field.kind() {
            Kind::Message(message) => self.message(&message),
            Kind::Enum(of) => self.enumeration(&of),
            Kind::String => text(field),
            scalar => scalar_schema(&scalar),
        }
    }

    fn enumeration(&mut self, of: &EnumDescriptor) -> Described {
        let name = of.full_name();
        if name == "google.protobuf.NullValue" {
            return Object::with_type(Type::Null).into();
        }
        if !self.done.contains_key(name) {
            let file = of.parent_file();
            let values: Vec<_> = of
                .values()
                .map(|value| match comment(&file, value.path()) {
                    Some(comment) => format!("- `{}`: {comment}", value.name()),
                    None => format!("- `{}`", value.name()),
                })
                .collect();
            let comment = comment(&file, of.path()).unwrap_or_default();
            let object = ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(of.values().map(|value| value.name().to_owned())))
                .description(Some(format!("{comment}\n\n{}", values.join("\n")).trim()));
            self.done.insert(name.to_owned(), object.into());
        }
        Ref::from_schema_name(name).into()
    }
}

/// A list.
pub(super) fn array(items: Described) -> Described {
    Schema::Array(ArrayBuilder::new().items(items).build()).into()
}

/// True where a request without the field is refused.
pub(super) fn is_required(field: &FieldDescriptor) -> bool {
    !field.supports_presence() && Text::of(field).is_some_and(Text::required)
}

/// A schema with a description.
pub(super) fn describe(schema: Described, description: String) -> Described {
    if description.is_empty() {
        return schema;
    }
    match schema {
        RefOr::Ref(mut reference) => {
            reference.description = description;
            reference.into()
        }
        RefOr::T(mut schema) => {
            let place = match &mut schema {
                Schema::Object(Object { description, .. })
                | Schema::AllOf(AllOf { description, .. }) => description,
                Schema::Array(array) => &mut array.description,
                Schema::OneOf(one_of) => &mut one_of.description,
                Schema::AnyOf(any_of) => &mut any_of.description,
                _ => return schema.into(),
            };
            *place = Some(description);
            schema.into()
        }
    }
}

fn text(field: &FieldDescriptor) -> Described {
    let object = ObjectBuilder::new().schema_type(Type::String);
    match Text::of(field) {
        None => object.into(),
        Some(limits) => object
            .min_length(limits.required().then_some(1))
            .pattern(Some(limits.pattern()))
            .examples([limits.example()])
            .into(),
    }
}

fn scalar_schema(kind: &Kind) -> Described {
    let object = ObjectBuilder::new();
    let integer = |format, min: i64, max: i64| {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(format))
            .minimum(Some(min as f64))
            .maximum(Some(max as f64))
            .into()
    };
    // Numbers of 64 bits are strings: JavaScript's have 53.
    let string_of = |format: &str, pattern: &str| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom(format.to_owned())))
            .pattern(Some(pattern))
            .into()
    };
    match kind {
        Kind::Double => number(KnownFormat::Double),
        Kind::Float => number(KnownFormat::Float),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            integer(SchemaFormat::KnownFormat(KnownFormat::Int32), i32::MIN.into(), i32::MAX.into())
        }
        Kind::Uint32 | Kind::Fixed32 => {
            integer(SchemaFormat::Custom("uint32".to_owned()), 0, u32::MAX.into())
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => string_of("int64", r"^-?[0-9]{1,19}$"),
        Kind::Uint64 | Kind::Fixed64 => string_of("uint64", r"^[0-9]{1,20}$"),
        Kind::Bool => object.schema_type(Type::Boolean).into(),
        Kind::Bytes => object.schema_type(Type::String).content_encoding("base64").into(),
        _ => object.schema_type(Type::String).into(),
    }
}

/// A number, or one of the three that JSON has no numeral for.
fn number(format: KnownFormat) -> Described {
    let named = json!(["NaN", "Infinity", "-Infinity"]);
    let named = named.as_array().cloned().unwrap_or_default();
    OneOfBuilder::new()
        .item(
            ObjectBuilder::new()
                .schema_type(Type::Number)
                .format(Some(SchemaFormat::KnownFormat(format))),
        )
        .item(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(named)))
        .into()
}

/// The messages for which ProtoJSON has a form of its own.
fn well_known(name: &str) -> Option<Described> {
    let object = ObjectBuilder::new;
    let date_time = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    let schema = match name.strip_prefix("google.protobuf.")? {
        "Timestamp" => object().schema_type(Type::String).format(Some(date_time)).into(),
        "Duration" => object()
            .schema_type(Type::String)
            .pattern(Some(r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$"))
            .examples(["1.5s"])
            .into(),
        "FieldMask" => {
            object().schema_type(Type::String).examples(["fullName,address.city"]).into()
        }
        "Struct" => object().schema_type(Type::Object).into(),
        "Value" => object().schema_type(SchemaType::AnyValue).into(),
        "ListValue" => array(object().schema_type(SchemaType::AnyValue).into()),
        "Empty" => object()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into(),
        "Any" => object()
            .schema_type(Type::Object)
            .property("@type", Object::with_type(Type::String))
            .required("@type")
            .into(),
        "DoubleValue" => scalar_schema(&Kind::Double),
        "FloatValue" => scalar_schema(&Kind::Float),
        "Int64Value" => scalar_schema(&Kind::Int64),
        "UInt64Value" => scalar_schema(&Kind::Uint64),
        "Int32Value" => scalar_schema(&Kind::Int32),
        "UInt32Value" => scalar_schema(&Kind::Uint32),
        "BoolValue" => scalar_schema(&Kind::Bool),
        "StringValue" => scalar_schema(&Kind::String),
        "BytesValue" => scalar_schema(&Kind::Bytes),
        _ => return None,
    };
    Some(schema)
}
