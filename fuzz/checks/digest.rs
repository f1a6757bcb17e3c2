//! What must hold for every body, whoever sent it. Shared by the fuzz target and the test that replays its seeds.

use std::fmt;

use bytes::Bytes;
use router_core::{Changes, Digest, Endpoint, FingerprintKey};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

const KEY: FingerprintKey = FingerprintKey::new(0x5eed, 0xf00d);

/// The changes that every readable body must bear.
const CHANGES: [Changes<'static>; 5] = [
    Changes { model: None, max_output_tokens: None, stream_usage: false },
    Changes { model: Some("a \"quoted\" \\ näme"), max_output_tokens: None, stream_usage: false },
    Changes { model: None, max_output_tokens: Some(7), stream_usage: false },
    Changes { model: None, max_output_tokens: None, stream_usage: true },
    Changes { model: Some("m"), max_output_tokens: Some(u64::MAX), stream_usage: true },
];

/// Reads `body` at every endpoint and panics where an invariant does not hold.
pub(crate) fn check(body: &[u8]) {
    for endpoint in Endpoint::ALL {
        check_at(endpoint, body);
    }
}

/// Reads `body` at one endpoint.
fn check_at(endpoint: Endpoint, body: &[u8]) {
    let Ok(digest) = Digest::read(endpoint, body, &KEY) else { return };
    let text = std::str::from_utf8(body).expect("only UTF-8 is read");
    serde_json::from_str::<&RawValue>(text).expect("only JSON is read");
    check_texts(&digest, text);
    let padded = format!(" {text}\n");
    let again = Digest::read(endpoint, padded.as_bytes(), &KEY).expect("blanks around a body are no fault");
    assert_eq!(again.fingerprint, digest.fingerprint);
    assert_eq!(again.conversation, digest.conversation);
    assert_eq!(again.prompt_tokens, digest.prompt_tokens);
    let body = Bytes::copy_from_slice(body);
    for changes in &CHANGES {
        check_changes(endpoint, &digest, &body, changes);
    }
}

/// The texts are cut out of the body and not longer than it.
fn check_texts(digest: &Digest, body: &str) {
    let prompt = digest.prompt();
    let kept = prompt.question.len() + prompt.system.len() + prompt.history.len();
    assert!(kept <= body.len(), "{kept} bytes of text in {} bytes", body.len());
    assert!(!digest.model.is_empty() && digest.model.len() <= 512);
}

/// A body with changes is read like the body before, but for them, and the same changes find nothing left to do.
fn check_changes(endpoint: Endpoint, before: &Digest, body: &Bytes, changes: &Changes<'_>) {
    let changed = before.splices.apply(body, changes);
    let after = Digest::read(endpoint, &changed, &KEY).expect("a changed body can be read");
    assert_eq!(&*after.model, changes.model.unwrap_or(&before.model));
    assert_eq!(after.stream, before.stream);
    assert_eq!(after.ambiguous, before.ambiguous);
    assert_eq!(after.conversation, before.conversation);
    let limits = limit_params(endpoint);
    match changes.max_output_tokens {
        Some(limit) if !limits.is_empty() => {
            let stated = before.max_output_tokens.unwrap_or(limit);
            assert_eq!(after.max_output_tokens, Some(stated.min(limit)));
        }
        _ => {
            assert_eq!(after.max_output_tokens, before.max_output_tokens);
            assert_eq!(after.fingerprint, before.fingerprint);
        }
    }
    let streams_usage =
        matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions) && before.stream;
    if changes.stream_usage && streams_usage {
        assert!(after.wants_stream_usage);
    } else {
        assert_eq!(after.wants_stream_usage, before.wants_stream_usage);
    }
    let again = after.splices.apply(&changed, changes);
    assert_eq!(again.as_ptr(), changed.as_ptr(), "the second time, the body itself comes back");
    let untouched = |name: &str| {
        !(changes.model.is_some() && name == "model"
            || changes.max_output_tokens.is_some() && limits.contains(&name)
            || changes.stream_usage && streams_usage && name == "stream_options")
    };
    let (was, is) = (members(body), members(&changed));
    let rest =
        |all: &[Member]| -> Vec<Member> { all.iter().filter(|(n, _)| untouched(n)).cloned().collect() };
    assert_eq!(rest(&is), rest(&was), "everything else is byte-identical and in order");
    check_options(&was, &is);
}

/// Within `stream_options`, everything but `include_usage` is byte-identical, too.
fn check_options(was: &[Member], is: &[Member]) {
    let rest = |all: &[Member]| -> Vec<Member> {
        let options = all.iter().filter(|(name, _)| name == "stream_options");
        let members =
            options.flat_map(|(_, raw)| if raw == "null" { Vec::new() } else { members(raw.as_bytes()) });
        members.filter(|(name, _)| name != "include_usage").collect()
    };
    assert_eq!(rest(is), rest(was));
}

/// The fields that limit the answer.
fn limit_params(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::ChatCompletions => &["max_tokens", "max_completion_tokens"],
        Endpoint::Messages | Endpoint::Completions => &["max_tokens"],
        Endpoint::Responses => &["max_output_tokens"],
        Endpoint::Embeddings | Endpoint::CountTokens => &[],
    }
}

/// A name and the bytes of its value.
type Member = (String, String);

/// The members of an object as they stand, duplicates included.
fn members(object: &[u8]) -> Vec<Member> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<Member>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                members.push((name, value.get().to_owned()));
            }
            Ok(members)
        }
    }

    serde_json::Deserializer::from_slice(object).deserialize_map(Members).expect("an object")
}
