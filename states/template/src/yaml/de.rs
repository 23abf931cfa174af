//! A serde deserializer over nodes, whose errors know their place.

use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::{Data, Node, parse, to_value};
use crate::{
    diag::{self, Diagnostic},
    value,
};

/// Reads a text into a type. An empty text reads as an empty mapping. Errors of unknown fields
/// (with `deny_unknown_fields`) and of wrong types point at the key or the value.
pub fn from_str<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Diagnostic> {
    let mut node = parse(name, text)?;
    if node.is_null() {
        node.data = Data::Map(Vec::new().into());
    }
    from_node(&node)
}

/// Reads a node into a type.
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, Diagnostic> {
    T::deserialize(node).map_err(|Error(diagnostic)| *diagnostic)
}

/// Serde's door to [`Diagnostic`].
#[derive(Debug)]
pub struct Error(Box<Diagnostic>);

impl Error {
    fn at(self, node: &Node) -> Self {
        Self(Box::new(self.0.at(&node.place())))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Box::new(Diagnostic::new(message.to_string())))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let near = diag::did_you_mean(field, expected.iter().copied());
        let hint = near.unwrap_or_else(|| format!("known here: {}", expected.join(", ")));
        Self(Box::new(Diagnostic::new(format!("unknown key {field}")).hint(hint)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let near = diag::did_you_mean(variant, expected.iter().copied());
        let hint = near.unwrap_or_else(|| format!("one of: {}", expected.join(", ")));
        Self(Box::new(Diagnostic::new(format!("{variant} is not a value that is possible here")).hint(hint)))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("{expected} is expected here, not {}", described(found)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("the key {field} is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format!("the key {field} is given twice"))
    }
}

fn described(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Unit | de::Unexpected::Option => "nothing".into(),
        de::Unexpected::Bool(value) => format!("the boolean {value}"),
        de::Unexpected::Str(text) => format!("the string {text:?}"),
        de::Unexpected::Seq => "a list".into(),
        de::Unexpected::Map => "a mapping".into(),
        other => other.to_string(),
    }
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.data {
            Data::Null => visitor.visit_unit(),
            Data::Bool(b) => visitor.visit_bool(*b),
            Data::Int(i) => match u64::try_from(*i) {
                Ok(positive) => visitor.visit_u64(positive),
                Err(_) => visitor.visit_i64(*i),
            },
            Data::Big(text) => match text.parse() {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_str(text),
            },
            Data::Float(f) => visitor.visit_f64(*f),
            Data::Str(text) => visitor.visit_str(text),
            Data::Seq(items) => visitor.visit_seq(Items(items.iter())),
            Data::Map(pairs) => visitor.visit_map(Pairs { rest: pairs.iter(), value: None }),
        }
        .map_err(|error| error.at(self))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.data {
            Data::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|error| error.at(self))
    }

    /// A number or a boolean where text is wanted is read as it prints: `id: 5` names `5`.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.data {
            Data::Int(_) | Data::Big(_) | Data::Float(_) => visitor.visit_string(self.to_text()),
            _ => return self.deserialize_any(visitor),
        }
        .map_err(|error: Error| error.at(self))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self).map_err(|error| error.at(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.data {
            Data::Str(text) => visitor.visit_enum(text.as_ref().into_deserializer()),
            _ => match self.single() {
                Some((name, content)) => visitor.visit_enum(Variant { name, content }),
                None => Err(de::Error::custom(format!(
                    "a name or a mapping of one key is expected here, not {}",
                    self.kind()
                ))),
            },
        }
        .map_err(|error: Error| error.at(self))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|node| seed.deserialize(node).map_err(|error| error.at(node))).transpose()
    }
}

struct Pairs<'a> {
    rest: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        let text = match &key.data {
            Data::Str(text) => text.to_string(),
            _ => value::key(&to_value(key)).trim_start_matches('\u{1}').to_owned(),
        };
        seed.deserialize(IntoDeserializer::<Error>::into_deserializer(text)).map(Some).map_err(|error| error.at(key))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let node = self.value.take().ok_or_else(|| de::Error::custom("a value without its key"))?;
        seed.deserialize(node).map_err(|error| error.at(node))
    }
}

struct Variant<'a> {
    name: &'a Node,
    content: &'a Node,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Content<'a>;
    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Content<'a>), Error> {
        let name = seed.deserialize(self.name).map_err(|error| error.at(self.name))?;
        Ok((name, Content(self.content)))
    }
}

struct Content<'a>(&'a Node);

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Error;
    fn unit_variant(self) -> Result<(), Error> {
        match self.0.data {
            Data::Null => Ok(()),
            _ => Err(Error::at(de::Error::custom("nothing is expected here"), self.0)),
        }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }
    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Config {
        id: Option<String>,
        #[serde(default)]
        port: u16,
        #[serde(default)]
        grains: proto::Map,
    }

    #[test]
    fn reads_into_types() {
        let config: Config = from_str("minion", "id: 5\nport: 4510\ngrains: {os: Debian, 1: x}\n").unwrap();
        assert_eq!((config.id.as_deref(), config.port), (Some("5"), 4510));
        assert_eq!(serde_json::to_value(config.grains).unwrap(), serde_json::json!({"os": "Debian", "1": "x"}));
        assert_eq!(from_str::<Config>("minion", "").unwrap(), Config { id: None, port: 0, grains: proto::Map::new() });
    }

    #[test]
    fn errors_point_at_key_and_value() {
        let unknown = from_str::<Config>("minion", "id: x\nprot: 4510\n").unwrap_err();
        assert_eq!(
            unknown.render(false),
            "error: unknown key prot\n --> minion:2:1\n  |\n2 | prot: 4510\n  | ^^^^\n  hint: did you mean port?\n"
        );
        let mistyped = from_str::<Config>("minion", "port: many\n").unwrap_err();
        assert_eq!(mistyped.message, "u16 is expected here, not the string \"many\"");
        assert_eq!(mistyped.place.unwrap().to_string(), "minion:1:7");
    }
}
