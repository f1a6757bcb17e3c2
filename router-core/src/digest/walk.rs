//! One pass over the values of a body: hash everything, gather text where text stands.
//!
//! Objects hash as the sorted list of their members' hashes, so the order of keys does not matter; arrays in order;
//! strings unescaped, so that equal values written differently are equal.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;

use super::fingerprint::{Fingerprint, FingerprintHasher, FingerprintKey};
use super::gather::{Gather, Role};
use super::place::{Place, Shape};

/// The state of one pass.
pub(super) struct Walk<'k> {
    key: &'k FingerprintKey,
    pub(super) gathered: Gather,
    pub(super) ambiguous: bool,
    /// Whether a JSON format was asked for.
    pub(super) schema: bool,
    /// Member hashes of the objects being walked, innermost last: (hash of the name, hash of the member).
    members: SmallVec<[(u128, u128); 24]>,
    messages: SmallVec<[Fingerprint; 8]>,
    /// Hashes of the top-level members other than the messages.
    around: SmallVec<[u128; 16]>,
    /// Whether the last message walked is a user's, of plain text and nothing else.
    plain: bool,
    /// Whether the open message's content is one string.
    one_text: bool,
    first_user: Option<usize>,
    system: Fingerprint,
    /// The role the open message states.
    role: Option<Role>,
    /// Whether it states "user" and nothing that is only taken for it.
    says_user: bool,
    /// The role its parts or its type imply: a tool's result comes in a user's message in one dialect.
    implied: Option<Role>,
    turn_start: usize,
}

impl<'k> Walk<'k> {
    pub(super) fn new(key: &'k FingerprintKey, body_bytes: usize) -> Self {
        Self {
            key,
            gathered: Gather::new(body_bytes),
            ambiguous: false,
            schema: false,
            members: SmallVec::new(),
            messages: SmallVec::new(),
            around: SmallVec::new(),
            plain: false,
            one_text: false,
            first_user: None,
            system: Fingerprint::default(),
            role: None,
            says_user: false,
            implied: None,
            turn_start: 0,
        }
    }

    /// A step over a value at `place`, for whoever holds the deserializer.
    pub(super) fn step(&mut self, place: Place) -> Step<'_, 'k> {
        Step { walk: self, place }
    }

    /// Opens a top-level member.
    pub(super) fn open(&mut self) {
        self.turn_start = self.gathered.mark();
    }

    /// Closes a top-level member and takes it into the fingerprint.
    pub(super) fn close(&mut self, name: &str, place: Place, value: Fingerprint) {
        if place == Place::System {
            self.system = value;
            self.gathered.close(Role::System, self.turn_start);
        }
        let name = self.name(name);
        self.push_member(name, value);
        if place != Place::Messages {
            self.around.extend(self.members.last().map(|member| member.1));
        }
    }

    /// The hash of everything but the last message, where that is a user's plain text: what must be equal before two questions are
    /// compared by meaning.
    pub(super) fn scope(&mut self) -> Option<Fingerprint> {
        let (_, before) = self.messages.split_last().filter(|_| self.plain)?;
        self.around.sort_unstable();
        let mut hasher = self.key.hasher(b'z');
        for member in &self.around {
            hasher.part(Fingerprint(*member));
        }
        hasher.number(before.len() as u64);
        for message in before {
            hasher.part(*message);
        }
        Some(hasher.finish())
    }

    fn name(&self, name: &str) -> Fingerprint {
        self.key.hasher(b'k').bytes(name.as_bytes()).finish()
    }

    fn push_member(&mut self, name: Fingerprint, value: Fingerprint) {
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

    /// Messages, items or lone questions walked.
    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Notes a string that stands at `place`.
    fn note(&mut self, place: Place, text: &str) {
        match place {
            Place::Text
            | Place::Content
            | Place::System
            | Place::Texts
            | Place::TextsElement
            | Place::Input
            | Place::Result
            | Place::ResultPart => self.gathered.push(self.turn_start, text),
            Place::SourceData if is_prose(text) => self.gathered.push(self.turn_start, text),
            Place::Extra => self.gathered.extra_bytes += text.len() + STRING_FRAME_BYTES,
            Place::Role => {
                self.role = Some(Role::from_name(text));
                self.says_user = text == "user";
            }
            Place::PartType => self.note_part(text),
            Place::ItemType => self.implied = Role::of_item(text),
            Place::FormatType => self.schema |= text.starts_with("json"),
            _ => {}
        }
    }

    fn note_part(&mut self, kind: &str) {
        match kind {
            "image_url" | "image" | "input_image" => self.gathered.images += 1,
            "tool_result" => self.implied = Some(Role::Tool),
            "document" | "file" | "input_file" | "input_audio" => self.gathered.attachments = true,
            _ => {}
        }
    }

    /// Opens a message.
    fn open_message(&mut self) {
        self.turn_start = self.gathered.mark();
        self.role = None;
        self.says_user = false;
        self.implied = None;
        self.one_text = false;
    }

    /// Closes a message of so many members.
    fn close_message(&mut self, hash: Fingerprint, members: usize) {
        let role = match self.role {
            None | Some(Role::User) => self.implied.or(self.role).unwrap_or(Role::User),
            Some(role) => role,
        };
        self.gathered.close(role, self.turn_start);
        self.plain = role == Role::User && self.says_user && members == 2 && self.one_text;
        if role == Role::User {
            self.first_user.get_or_insert(self.messages.len());
        }
        self.messages.push(hash);
    }

    /// Closes a question that is not wrapped in a message.
    fn close_question(&mut self, hash: Fingerprint) {
        self.gathered.close(Role::User, self.turn_start);
        self.first_user.get_or_insert(self.messages.len());
        self.messages.push(hash);
    }
}

/// What a string takes in JSON besides its bytes: two quotes, and a colon or a comma.
const STRING_FRAME_BYTES: usize = 3;

/// Whether an attached document is text: base64 has no blanks, prose has one within a line.
fn is_prose(data: &str) -> bool {
    data.bytes().take(256).any(|byte| byte == b' ')
}

/// One value at one place.
pub(super) struct Step<'w, 'k> {
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

    fn admit<E: Error>(&self, shape: Shape) -> Result<(), E> {
        if self.place.accepts(shape) { Ok(()) } else { Err(E::custom(self.refusal())) }
    }

    fn refusal(&self) -> String {
        format!("expected {}", self.place.expected())
    }

    /// A number, with what its type adds to its bits.
    fn number<E: Error>(self, kind: u8, bits: u64) -> Result<Fingerprint, E> {
        self.admit(Shape::Scalar)?;
        if self.place == Place::TextsElement {
            self.walk.gathered.extra_tokens += 1;
        }
        Ok(self.hasher(kind).number(bits).finish())
    }
}

/// Beyond this, a whole number is no longer exact as `f64`, so that two different ones could look equal.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

impl<'de> Visitor<'de> for Step<'_, '_> {
    type Value = Fingerprint;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.place.expected())
    }

    fn visit_unit<E: Error>(self) -> Result<Fingerprint, E> {
        self.admit(Shape::Null)?;
        Ok(self.hasher(b'n').finish())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Fingerprint, E> {
        self.admit(Shape::Scalar)?;
        Ok(self.hasher(b'b').number(value.into()).finish())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Fingerprint, E> {
        self.number(b'u', value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Fingerprint, E> {
        self.number(b'i', value as u64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Fingerprint, E> {
        self.walk.ambiguous |= value.abs() >= EXACT_INTEGERS;
        self.number(b'f', value.to_bits())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Fingerprint, E> {
        self.admit(Shape::Text)?;
        self.walk.note(self.place, value);
        self.walk.one_text |= self.place == Place::Content;
        let hash = self.hasher(b's').bytes(value.as_bytes()).finish();
        if matches!(self.place, Place::Input | Place::Texts) {
            self.walk.close_question(hash);
        }
        Ok(hash)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Fingerprint, A::Error> {
        self.admit(Shape::Array)?;
        let mut hasher = self.hasher(b'a');
        let element = self.place.element();
        let mut elements = 0;
        while let Some(hash) = seq.next_element_seed(self.walk.step(element))? {
            hasher.part(hash);
            elements += 1;
        }
        let hash = hasher.finish();
        match self.place {
            Place::Tools => self.walk.gathered.tools += elements,
            Place::Texts if elements > 0 => self.walk.close_question(hash),
            _ => {}
        }
        Ok(hash)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fingerprint, A::Error> {
        self.admit(Shape::Object)?;
        let Step { walk, place } = self;
        let start = walk.members.len();
        let is_message = matches!(place, Place::Message | Place::Item);
        if is_message {
            walk.open_message();
        }
        while let Some((inner, name)) = map.next_key_seed(MemberName { walk, place })? {
            let value = map.next_value_seed(walk.step(inner))?;
            walk.push_member(name, value);
        }
        let members = walk.members.len() - start;
        let hash = walk.fold(start);
        if place == Place::Message && walk.role.is_none() {
            return Err(A::Error::custom("expected every message to have a role"));
        }
        if is_message {
            walk.close_message(hash, members);
        }
        Ok(hash)
    }
}

/// A member's name: the place of its value and the hash of the name.
struct MemberName<'w, 'k> {
    walk: &'w mut Walk<'k>,
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

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let inner = self.place.member(name);
        if inner == Place::Extra {
            self.walk.gathered.extra_bytes += name.len() + STRING_FRAME_BYTES;
        }
        Ok((inner, self.walk.name(name)))
    }
}
