//! What must hold for the scope within which questions are compared by meaning: equal scopes mean requests that differ in the text of
//! their last turn and in nothing else. Shared by the fuzz target and the test that replays its seeds.

use router_core::{Digest, Endpoint, FingerprintKey};
use serde_json::Value;

const KEY: FingerprintKey = FingerprintKey::new(0x5eed, 0xf00d);

/// Reads two bodies, one a line, and panics where they share a scope and should not, or should and do not.
pub(crate) fn check(input: &[u8]) {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let (Some(one), Some(other)) = (lines.next(), lines.next()) else { return };
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Messages] {
        check_pair(endpoint, one, other);
        check_pair(endpoint, one, one);
        check_another_question(endpoint, one);
    }
}

fn check_pair(endpoint: Endpoint, one: &[u8], other: &[u8]) {
    // What is ambiguous is never cached.
    let read = |body: &[u8]| Digest::read(endpoint, body, &KEY).ok().filter(|digest| !digest.ambiguous);
    let (Some(first), Some(second)) = (read(one), read(other)) else { return };
    let (Some(a), Some(b)) = (first.scope, second.scope) else { return };
    if a == b {
        let (left, right) = (rest(one), rest(other));
        assert!(left.is_none() || right.is_none() || left == right, "one scope for {left:?} and {right:?}");
    }
    if first.fingerprint == second.fingerprint {
        assert_eq!(a, b, "the same request in two scopes");
    }
}

/// The same body with another question is in the same scope, and is another request.
fn check_another_question(endpoint: Endpoint, body: &[u8]) {
    let Ok(digest) = Digest::read(endpoint, body, &KEY) else { return };
    let Some(scope) = digest.scope.filter(|_| !digest.ambiguous) else { return };
    let Ok(mut asked) = serde_json::from_slice::<Value>(body) else { return };
    let Some(content) = last_turn(&mut asked) else { return };
    let Some(text) = content.as_str() else { return };
    *content = Value::from(format!("{text} or what?"));
    // Numbers that JSON libraries spell anew make another request: only bodies that survive the round trip are compared.
    let (Ok(back), Ok(plain)) = (serde_json::to_vec(&asked), serde_json::from_slice::<Value>(body)) else {
        return;
    };
    let same = serde_json::to_vec(&plain).ok().and_then(|body| Digest::read(endpoint, &body, &KEY).ok());
    if same.is_none_or(|same| same.fingerprint != digest.fingerprint) {
        return;
    }
    let Ok(other) = Digest::read(endpoint, &back, &KEY) else { return };
    assert_eq!(other.scope, Some(scope), "another question left its scope");
    assert_ne!(other.fingerprint, digest.fingerprint, "another question is another request");
}

/// The body without its last turn's text and what does not change an answer.
fn rest(body: &[u8]) -> Option<Value> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    *last_turn(&mut body)? = Value::Null;
    let fields = body.as_object_mut()?;
    fields.remove("stream");
    fields.remove("stream_options");
    fields.remove("model");
    Some(body)
}

fn last_turn(body: &mut Value) -> Option<&mut Value> {
    body.get_mut("messages")?.as_array_mut()?.last_mut()?.get_mut("content")
}
