//! One pass over the values of a body: hash everything, gather text where text stands.
//!
//! Objects hash as the sorted list of their members' hashes, so the order of keys does not matter; arrays in order;
//! strings unescaped, so that equal values written differently are equal.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fault::BodyFault;
use super::fingerprint::{Fingerprint, FingerprintHasher, FingerprintKey};
use super::gather::{Gather, Role};

/// Where a value stands, which says what its text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing the router reads.
    Other,
    /// An array of messages.
    Messages,
    /// Responses input: a string, or an array of items.
    Input,
    /// Embedding input or completion prompt: a string or an array of them.
    Texts,
    /// One message.
    Message,
    /// A message's role.
    Role,
    /// A message's content: a string or parts.
    Content,
    /// One content part.
    Part,
    /// A text.
    Text,
    /// A part's type.
    PartType,
    /// The system prompt beside the messages.
    System,
    /// An array of tools.
    Tools,
    /// The answer's format.
    Format,
    /// An object with the answer's format inside.
    FormatHolder,
    /// The format's type.
    FormatType,
}

impl Place {
    /// Whether a value here is what the request is about.
    pub(super) const fn is_content(self) -> bool {
        matches!(self, Self::Messages | Self::Input | Self::Texts)
    }

    /// The place of a member of an object that stands here.
    fn member(self, name: &str) -> Self {
        match (self, name) {
            (Self::Message, "role") => Self::Role,
            (Self::Message, "content" | "output") | (Self::Part, "content") => Self::Content,
            (Self::Message, "type") | (Self::Part, "type") => Self::PartType,
            (Self::Part, "text") => Self::Text,
            (Self::FormatHolder, "format") => Self::Format,
            (Self::Format, "type") => Self::FormatType,
            _ => Self::Other,
        }
    }

    /// The place of an element of an array that stands here.
    const fn element(self) -> Self {
        match self {
            Self::Messages | Self::Input => Self::Message,
            Self::Content | Self::System => Self::Part,
            Self::Texts => Self::Texts,
            _ => Self::Other,
        }
    }
}

/// The state of one pass.
pub(super) struct Walk<'k> {
    key: &'k FingerprintKey,
    pub(super) gathered: Gather,
    pub(super) ambiguous: bool,
    /// Member hashes of the objects being walked, innermost last: (hash of the name, hash of the member).
    members: Vec<(u128, u128)>,
    messages: Vec<Fingerprint>,
    first_user: Option<usize>,
    system: Fingerprint,
    schema: bool,
    /// The role a message states.
    role: Option<Role>,
    /// The role its parts imply: a tool's result comes in a user's message in one dialect.
    part_role: Option<Role>,
    turn_start: usize,
}

impl<'k> Walk<'k> {
    pub(super) fn new(key: &'k FingerprintKey, body_bytes: usize) -> Self {
        Self {
            key,
            gathered: Gather::new(body_bytes),
            ambiguous: false,
            members: Vec::with_capacity(32),
            messages: Vec::with_capacity(8),
            first_user: None,
            system: Fingerprint::default(),
            schema: false,
            role: None,
            part_role: None,
            turn_start: 0,
        }
    }

    /// Walks a top-level member.
    pub(super) fn member(&mut self, name: &str, value: &RawValue, place: Place) -> Result<(), BodyFault> {
        if place == Place::Tools {
            self.gathered.tool_bytes += value.get().len();
        }
        self.turn_start = self.gathered.mark();
        let mut deserializer = serde_json::Deserializer::from_str(value.get());
        let hash = Step { walk: self, place }
            .deserialize(&mut deserializer)
            .map_err(|error| shape_fault(name, place, &error))?;
        match place {
            Place::System => {
                self.system = hash;
                self.gathered.close(Role::System, self.turn_start);
            }
            Place::Texts => self.gathered.close(Role::User, self.turn_start),
            _ => {}
        }
        self.push_member(name, hash);
        Ok(())
    }

    fn push_member(&mut self, name: &str, value: Fingerprint) {
        let name = self.key.hasher(b'k').bytes(name.as_bytes()).finish();
        let member = self.key.hasher(b'm').part(name).part(value).finish();
        self.members.push((name.0, member.0));
    }

    /// Folds the members pushed since `start` into one hash that does not know their order.
    fn fold(&mut self, start: usize) -> Fingerprint {
        let members = &mut self.members[start..];
        members.sort_unstable();
        self.ambiguous |= members.windows(2).any(|pair| pair[0].0 == pair[1].0);
        let mut hasher = self.key.hasher(b'o');
        for (_, member) in members.iter() {
            hasher.part(Fingerprint(*member));
        }
        self.members.truncate(start);
        hasher.finish()
    }

    /// The hash of all members walked.
    pub(super) fn fingerprint(&mut self) -> Fingerprint {
        self.fold(0)
    }

    /// The hash of the system prompt and the messages up to the first user turn.
    pub(super) fn conversation(&self) -> Fingerprint {
        let mut hasher = self.key.hasher(b'c');
        hasher.part(self.system);
        for message in self.messages.iter().take(self.first_user.map_or(usize::MAX, |at| at + 1)) {
            hasher.part(*message);
        }
        hasher.finish()
    }

    /// Messages walked.
    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Whether a JSON format was met since the last call.
    pub(super) fn take_schema(&mut self) -> bool {
        std::mem::take(&mut self.schema)
    }

    /// Notes a string that stands at `place`.
    fn note(&mut self, place: Place, text: &str) {
        match place {
            Place::Text | Place::Content | Place::System | Place::Texts => {
                self.gathered.push(self.turn_start, text);
            }
            Place::Input => {
                self.gathered.push(self.turn_start, text);
                self.gathered.close(Role::User, self.turn_start);
                self.messages.push(self.key.hasher(b's').bytes(text.as_bytes()).finish());
                self.first_user.get_or_insert(0);
            }
            Place::Role => self.role = Some(Role::from_name(text)),
            Place::PartType => self.note_part(text),
            Place::FormatType => self.schema |= text.starts_with("json"),
            _ => {}
        }
    }

    fn note_part(&mut self, kind: &str) {
        match kind {
            "image_url" | "image" | "input_image" => self.gathered.images += 1,
            "tool_result" | "function_call_output" | "custom_tool_call_output" => {
                self.part_role = Some(Role::Tool);
            }
            "function_call" | "reasoning" => self.part_role = Some(Role::Assistant),
            _ => {}
        }
    }

    /// Opens a message.
    fn open_message(&mut self) {
        self.turn_start = self.gathered.mark();
        self.role = None;
        self.part_role = None;
    }

    /// Closes a message.
    fn close_message(&mut self, hash: Fingerprint) {
        let role = match self.role {
            None | Some(Role::User) => self.part_role.or(self.role).unwrap_or(Role::User),
            Some(role) => role,
        };
        self.gathered.close(role, self.turn_start);
        if role == Role::User {
            self.first_user.get_or_insert(self.messages.len());
        }
        self.messages.push(hash);
    }
}

/// One value at one place.
struct Step<'w, 'k> {
    walk: &'w mut Walk<'k>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Step<'_, '_> {
    type Value = Fingerprint;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Step<'_, '_> {
    fn hasher(&self, kind: u8) -> FingerprintHasher {
        self.walk.key.hasher(kind)
    }

    /// Refuses a scalar where the shape asks for text, an array or an object.
    fn scalar<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.place {
            Place::Messages | Place::Message | Place::Part | Place::Input | Place::Role => {
                Err(E::custom(self.expected()))
            }
            Place::Content | Place::System | Place::Text => Err(E::custom(self.expected())),
            _ => Ok(()),
        }
    }

    const fn expected(&self) -> &'static str {
        match self.place {
            Place::Messages => "an array of messages",
            Place::Message => "a message object",
            Place::Role => "a string with the role",
            Place::Content | Place::System => "a string or an array of content parts",
            Place::Part => "a content part",
            Place::Text => "a text",
            Place::Input => "a string or an array of items",
            _ => "something else",
        }
    }
}

/// Beyond this, a whole number is no longer exact as `f64`, so that two different ones could look equal.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

impl<'de> Visitor<'de> for Step<'_, '_> {
    type Value = Fingerprint;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Fingerprint, E> {
        Ok(self.hasher(b'n').finish())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Fingerprint, E> {
        self.scalar::<E>()?;
        Ok(self.hasher(b'b').number(value.into()).finish())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Fingerprint, E> {
        self.scalar::<E>()?;
        Ok(self.hasher(b'u').number(value).finish())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Fingerprint, E> {
        self.scalar::<E>()?;
        Ok(self.hasher(b'i').number(value as u64).finish())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Fingerprint, E> {
        self.scalar::<E>()?;
        self.walk.ambiguous |= value.abs() >= EXACT_INTEGERS;
        Ok(self.hasher(b'f').number(value.to_bits()).finish())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Fingerprint, E> {
        if matches!(self.place, Place::Messages | Place::Message) {
            return Err(E::custom(self.expected()));
        }
        self.walk.note(self.place, value);
        Ok(self.hasher(b's').bytes(value.as_bytes()).finish())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Fingerprint, A::Error> {
        if matches!(self.place, Place::Message | Place::Role) {
            return Err(A::Error::custom(self.expected()));
        }
        let mut hasher = self.hasher(b'a');
        let element = self.place.element();
        while let Some(hash) = seq.next_element_seed(Step { walk: self.walk, place: element })? {
            if self.place == Place::Tools {
                self.walk.gathered.tools += 1;
            }
            hasher.part(hash);
        }
        Ok(hasher.finish())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fingerprint, A::Error> {
        if matches!(self.place, Place::Messages | Place::Input | Place::Role) {
            return Err(A::Error::custom(self.expected()));
        }
        let Step { walk, place } = self;
        let start = walk.members.len();
        if place == Place::Message {
            walk.open_message();
        }
        while let Some(name) = map.next_key_seed(MemberName { walk, place })? {
            let (inner, name_hash) = name;
            let value = map.next_value_seed(Step { walk, place: inner })?;
            let member = walk.key.hasher(b'm').part(name_hash).part(value).finish();
            walk.members.push((name_hash.0, member.0));
        }
        let hash = walk.fold(start);
        if place == Place::Message {
            walk.close_message(hash);
        }
        Ok(hash)
    }
}

/// A member's name: the place of its value and the hash of the name.
struct MemberName<'w, 'k> {
    walk: &'w Walk<'k>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for MemberName<'_, '_> {
    type Value = (Place, Fingerprint);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberName<'_, '_> {
    type Value = (Place, Fingerprint);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        let hash = self.walk.key.hasher(b'k').bytes(name.as_bytes()).finish();
        Ok((self.place.member(name), hash))
    }
}

/// A caller's notation for what was wrong below a top-level member.
fn shape_fault(name: &str, place: Place, error: &serde_json::Error) -> BodyFault {
    let param = match (place, name) {
        (Place::Messages, _) => "messages",
        (Place::System, "instructions") => "instructions",
        (Place::System, _) => "system",
        (Place::Input | Place::Texts, "prompt") => "prompt",
        (Place::Input | Place::Texts, _) => "input",
        _ => return BodyFault::Json(format!("in '{name}': {error}")),
    };
    BodyFault::Field { param, message: format!("'{param}' is malformed: {error}") }
}
