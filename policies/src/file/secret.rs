//! `{ env = "NAME" }`, `{ file = "PATH" }`.

use toml::de::DeValue;

use crate::fault::Fault;
use crate::read;
use crate::secret::SecretRef;
use crate::source::At;
use crate::table::{Node, Table};

/// How a reference is written, as a suggestion.
const EXAMPLE: &str = "{ env = 'NAME' }";

/// Reads a reference to a secret. A plain string is refused without being repeated: it may be the secret.
pub(crate) fn read_secret<'a>(table: &mut Table<'a, '_>, key: &str, node: Node<'a>) -> Option<At<SecretRef>> {
    if !matches!(node.get_ref(), DeValue::Table(_)) {
        let message = format!("{}: a secret is a reference to it, never the value", key.escape_debug());
        table.sink().error_with(node.span().into(), message, Some(EXAMPLE));
        return None;
    }
    let found = table.child(key, node, |table| {
        let env = table.optional("env", variable);
        let file = table.optional("file", read::text);
        if env.is_some() && file.is_some() {
            let span = table.span();
            table.sink().error(span, "a secret is in env or in file, not in both");
            return None;
        }
        if table.is_empty() {
            let span = table.span();
            table.sink().error_with(span, "a secret says where it is: env or file", Some(EXAMPLE));
        }
        env.map(|name| SecretRef::Env(name.value)).or(file.map(|path| SecretRef::File(path.value.into())))
    })?;
    found.value.map(|value| At { value, span: found.span })
}

/// The name of an environment variable. What is no name is not repeated: it may be the secret.
fn variable(value: &DeValue<'_>) -> Result<String, Fault> {
    let name = read::text(value).map_err(|_| Fault::new("must be the name of an environment variable"))?;
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let fits = name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_ascii_digit());
    if fits && name.len() <= read::MAX_NAME_CHARS {
        return Ok(name);
    }
    Err(Fault::new("must be the name of an environment variable: letters, digits and _"))
}
