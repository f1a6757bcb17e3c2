//! The known name that somebody probably meant.

/// Longest name for which neighbours are looked up, in bytes: no key or model name in use is longer, and
/// it bounds the work for one guess.
const MAX_NAME_BYTES: usize = 64;

/// A character is at most four bytes, so that lengths in bytes bound a distance in characters.
const MAX_CHAR_BYTES: usize = 4;

/// The known name nearest to `name`, if any is near enough to be worth suggesting.
///
/// Near is an optimal-string-alignment distance (typing errors: a letter added, lost, changed, or two
/// swapped) of at most a third of the name, at least 1, without regard to case; or, failing that, a name
/// that begins with the other (`cheap` for `cheapest`) or has it as one of its words (`key` for `api_key`).
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return None;
    }
    let wanted = name.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(1);
    let ranked = known.into_iter().filter_map(|other| {
        let distance = distance(&wanted, other, limit)?;
        Some((distance, other))
    });
    ranked.min().map(|(_, other)| other)
}

/// Distance of two names, `None` where it is too large to matter.
fn distance(wanted: &str, other: &str, limit: usize) -> Option<usize> {
    if other.len() > MAX_NAME_BYTES {
        return None;
    }
    let other = other.to_lowercase();
    if other.len().abs_diff(wanted.len()) <= limit * MAX_CHAR_BYTES {
        let edits = strsim::osa_distance(wanted, &other);
        if edits <= limit {
            return Some(edits);
        }
    }
    let is_word_of =
        |part: &str, whole: &str| part.len() >= 3 && whole.split(['_', '-']).any(|word| word == part);
    let begins = |start: &str, whole: &str| start.len() >= 4 && whole.starts_with(start);
    let contains = |part: &str, whole: &str| is_word_of(part, whole) || begins(part, whole);
    (contains(wanted, &other) || contains(&other, wanted)).then_some(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn typing_errors_are_seen_through() {
        let keys = ["dialect", "base_url", "api_key", "timeouts", "breaker"];
        for (typed, meant) in [
            ("dialekt", "dialect"),
            ("baes_url", "base_url"),
            ("timeout", "timeouts"),
            ("Breaker", "breaker"),
            ("key", "api_key"),
            ("url", "base_url"),
            ("dial", "dialect"),
        ] {
            assert_eq!(nearest(typed, keys), Some(meant), "{typed}");
        }
    }

    #[test]
    fn strangers_are_not_suggested() {
        assert_eq!(nearest("colour", ["dialect", "base_url"]), None);
        assert_eq!(nearest("", ["a"]), None);
        assert_eq!(nearest(&"x".repeat(5_000), ["x"]), None);
    }

    #[test]
    fn the_nearest_wins_over_the_first() {
        assert_eq!(nearest("smal", ["smell", "small"]), Some("small"));
    }
}
