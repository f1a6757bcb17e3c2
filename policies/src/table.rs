//! A cursor over one TOML table: ask for the keys you know, the rest is reported.
//!
//! A section of a file is one function that asks a [`Table`] for each of its keys with the reader for the
//! value, and returns what was typed. The walk never stops: a bad value is reported where it stands and
//! read as absent; a key that nobody asked for is unknown and gets the nearest known name.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostics::Quoted;
use crate::fault::Fault;
use crate::nearest::nearest;
use crate::read;
use crate::sink::Sink;
use crate::source::{At, Span};

/// A value and its place, as parsed.
pub(crate) type Node<'a> = &'a Spanned<DeValue<'a>>;

/// An entry of a table whose keys the user chooses.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T> {
    /// The key.
    pub name: At<String>,
    /// What it names.
    pub value: T,
}

/// One table of the file, being read.
pub(crate) struct Table<'a, 's> {
    entries: &'a DeTable<'a>,
    span: Span,
    /// How messages call it: `[providers.cloud]`, `rules[2].when`; empty at the top level.
    path: String,
    asked: Vec<&'static str>,
    missing: Vec<&'static str>,
    sink: &'s mut Sink,
}

impl<'a, 's> Table<'a, 's> {
    /// The whole file.
    pub(crate) fn root(entries: &'a DeTable<'a>, sink: &'s mut Sink) -> Self {
        Self {
            entries,
            span: Span::default(),
            path: String::new(),
            asked: Vec::new(),
            missing: Vec::new(),
            sink,
        }
    }

    /// Where the table begins.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Whether a key is written in it, readable or not.
    pub(crate) fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether nothing is written in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The table's contents in one canonical text: equal for tables that say the same, whatever the order.
    pub(crate) fn fingerprint(&self) -> String {
        let mut text = String::new();
        for (key, node) in self.entries {
            text.push_str(&format!("{:?}=", key.get_ref()));
            canonical(node.get_ref(), &mut text);
        }
        text
    }

    /// Where findings go.
    pub(crate) fn sink(&mut self) -> &mut Sink {
        self.sink
    }

    /// The value of a key that this table knows.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.entries.get(key)
    }

    /// A value that may be absent.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<At<T>> {
        let node = self.take(key)?;
        self.read(key, node, read)
    }

    /// A value that must be there.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<At<T>> {
        self.require(key);
        self.optional(key, read)
    }

    /// Says that a key must be there; reported when the table is finished.
    pub(crate) fn require(&mut self, key: &'static str) {
        if !self.contains(key) {
            self.missing.push(key);
        }
    }

    /// A table under this one with keys of its own; a section.
    pub(crate) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Table<'a, '_>) -> T,
    ) -> Option<At<T>> {
        let node = self.take(key)?;
        self.child(key, node, read)
    }

    /// Reads a node that must be a table, then reports the keys nobody asked for.
    pub(crate) fn child<T>(
        &mut self,
        key: &str,
        node: Node<'a>,
        read: impl FnOnce(&mut Table<'a, '_>) -> T,
    ) -> Option<At<T>> {
        let mut table = self.open(key, node)?;
        let value = read(&mut table);
        let span = table.span;
        table.finish();
        Some(At { value, span })
    }

    /// A cursor over a node that must be a table.
    fn open(&mut self, key: &str, node: Node<'a>) -> Option<Table<'a, '_>> {
        let span = Span::from(node.span());
        let DeValue::Table(entries) = node.get_ref() else {
            let message = format!("{}: must be a table, not {}", key.escape_debug(), kind(node.get_ref()));
            self.sink.error(span, message);
            return None;
        };
        let path = self.path_of(key);
        Some(Table { entries, span, path, asked: Vec::new(), missing: Vec::new(), sink: self.sink })
    }

    /// A table whose keys are names the user chooses, each a table: `[providers.NAME]`. In the order of the
    /// file; an entry that is no table is read as an empty one, so that its name still counts as known.
    pub(crate) fn named<T: Default>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Table<'a, '_>) -> T,
    ) -> Vec<Named<T>> {
        let entries = self.each(key, |parent, name, node| {
            let entry = parent.child(name, node, &mut read);
            Some(entry.map(|entry| entry.value).unwrap_or_default())
        });
        for Named { name, .. } in &entries {
            self.check_name(name);
        }
        entries
    }

    /// Reports a key that cannot be a name.
    pub(crate) fn check_name(&mut self, name: &At<String>) {
        if let Err(fault) = read::check_name(&name.value) {
            self.sink.error_with(name.span, fault.message, fault.suggestion);
        }
    }

    /// A table whose keys the user chooses, each a plain value: `[aliases]`. In the order of the file.
    pub(crate) fn pairs<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Vec<Named<At<T>>> {
        self.each(key, |parent, name, node| parent.read(name, node, &read))
    }

    /// Every entry of a table whose keys the user chooses, in the order of the file.
    pub(crate) fn each<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Table<'a, '_>, &str, Node<'a>) -> Option<T>,
    ) -> Vec<Named<T>> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Some(mut parent) = self.open(key, node) else { return Vec::new() };
        let mut entries: Vec<_> = parent.entries.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let mut found = Vec::with_capacity(entries.len());
        for (name, node) in entries {
            if let Some(value) = read(&mut parent, name.get_ref(), node) {
                let name = At { value: name.get_ref().clone().into_owned(), span: name.span().into() };
                found.push(Named { name, value });
            }
        }
        found
    }

    /// An array of tables: `[[rules]]`. Each element is read, a bad one counts as `None`.
    pub(crate) fn array<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Table<'a, '_>) -> T,
    ) -> Vec<At<T>> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let DeValue::Array(elements) = node.get_ref() else {
            let message = format!("{key}: must be an array of tables, not {}", kind(node.get_ref()));
            self.sink.error_with(node.span().into(), message, Some(format!("[[{key}]]")));
            return Vec::new();
        };
        let indexed = elements.iter().enumerate();
        indexed.filter_map(|(index, node)| self.child(&format!("{key}[{index}]"), node, &mut read)).collect()
    }

    /// An array of plain values.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<At<Vec<At<T>>>> {
        let node = self.take(key)?;
        if let DeValue::String(text) = node.get_ref() {
            let mend = format!("[\"{text}\"]");
            self.sink.error_with(
                node.span().into(),
                format!("{key}: must be a list, not a string"),
                Some(mend),
            );
            return None;
        }
        self.elements(key, node, read)
    }

    /// An array of plain values that may be empty.
    pub(crate) fn list_or_none<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<At<Vec<At<T>>>> {
        let node = self.take(key)?;
        match node.get_ref() {
            DeValue::Array(elements) if elements.is_empty() => {
                Some(At { value: Vec::new(), span: node.span().into() })
            }
            _ => self.list(key, read),
        }
    }

    /// A plain value or an array of them.
    pub(crate) fn one_or_more<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<At<Vec<At<T>>>> {
        let node = self.take(key)?;
        self.one_or_more_of(key, node, read)
    }

    /// As [`one_or_more`](Self::one_or_more), for a node at hand.
    pub(crate) fn one_or_more_of<T>(
        &mut self,
        key: &str,
        node: Node<'a>,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<At<Vec<At<T>>>> {
        if matches!(node.get_ref(), DeValue::Array(_)) {
            return self.elements(key, node, read);
        }
        let one = self.read(key, node, read)?;
        Some(At { span: one.span, value: vec![one] })
    }

    /// An array of arrays of plain values: `[["a", "b"], ["c", "d"]]`. A group of which a part cannot be
    /// read is left out.
    pub(crate) fn groups<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Vec<At<Vec<At<T>>>> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let DeValue::Array(groups) = node.get_ref() else {
            let message = format!("{key}: must be a list of lists, not {}", kind(node.get_ref()));
            self.sink.error(node.span().into(), message);
            return Vec::new();
        };
        let flat: Option<Vec<&str>> = groups.iter().map(|group| group.get_ref().as_str()).collect();
        if let Some(flat) = flat.filter(|flat| !flat.is_empty()) {
            let mend = format!("[[\"{}\"]]", flat.join("\", \""));
            let message = format!("{key}: must be a list of lists, not of strings");
            self.sink.error_with(node.span().into(), message, Some(mend));
            return Vec::new();
        }
        let whole = |group: Node<'a>, read: &At<Vec<At<T>>>| {
            group.get_ref().as_array().is_some_and(|typed| typed.len() == read.value.len())
        };
        let read = |group| self.elements(key, group, &read).filter(|read| whole(group, read));
        groups.iter().filter_map(read).collect()
    }

    fn elements<T>(
        &mut self,
        key: &str,
        node: Node<'a>,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<At<Vec<At<T>>>> {
        let span = Span::from(node.span());
        let DeValue::Array(elements) = node.get_ref() else {
            self.sink.error(span, format!("{key}: must be a list, not {}", kind(node.get_ref())));
            return None;
        };
        if elements.is_empty() {
            self.sink.error(span, format!("{key}: the list is empty"));
            return None;
        }
        let value = elements.iter().filter_map(|node| self.read(key, node, &read)).collect();
        Some(At { value, span })
    }

    /// Reads one node, reporting what is wrong with it.
    pub(crate) fn read<T>(
        &mut self,
        key: &str,
        node: Node<'a>,
        read: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<At<T>> {
        let span = Span::from(node.span());
        match read(node.get_ref()) {
            Ok(value) => Some(At { value, span }),
            Err(fault) => {
                let key = key.escape_debug();
                self.sink.error_with(span, format!("{key}: {}", fault.message), fault.suggestion);
                None
            }
        }
    }

    /// Reports the keys nobody asked for, then the ones that should be there and are not.
    pub(crate) fn finish(self) {
        let inside = if self.path.is_empty() { String::new() } else { format!(" in {}", self.path) };
        let mut meant = Vec::new();
        for key in self.entries.keys() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let mut message = format!("unknown key {}{inside}", Quoted(name));
            let near = nearest(name, self.asked.iter().copied());
            match near {
                Some(near) => meant.push(near),
                None => message.push_str(&format!("; known are {}", self.asked.join(", "))),
            }
            self.sink.error_with(key.span().into(), message, near);
        }
        for key in self.missing.into_iter().filter(|key| !meant.contains(key)) {
            self.sink.missing(self.span, format!("missing key {}{inside}", Quoted(key)));
        }
    }

    fn path_of(&self, key: &str) -> String {
        let key = key.escape_debug();
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }
}

/// What a value is, with its article.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Appends a value without its places; the parser keeps tables sorted by key.
fn canonical(value: &DeValue<'_>, text: &mut String) {
    match value {
        DeValue::String(value) => text.push_str(&format!("{value:?}")),
        DeValue::Integer(value) => text.push_str(&value.to_string()),
        DeValue::Float(value) => text.push_str(value.as_str()),
        DeValue::Boolean(value) => text.push_str(&value.to_string()),
        DeValue::Datetime(value) => text.push_str(&value.to_string()),
        DeValue::Array(elements) => {
            text.push('[');
            for element in elements.iter() {
                canonical(element.get_ref(), text);
                text.push(',');
            }
            text.push(']');
        }
        DeValue::Table(entries) => {
            text.push('{');
            for (key, node) in entries {
                text.push_str(&format!("{:?}=", key.get_ref()));
                canonical(node.get_ref(), text);
                text.push(',');
            }
            text.push('}');
        }
    }
}
