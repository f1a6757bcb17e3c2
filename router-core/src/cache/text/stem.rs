//! Light stemming: plural, past and progressive endings come off, nothing else does.
//!
//! Comparatives, adverbs and derived nouns keep their endings, because "cheap" and "cheapest" ask for different
//! answers. Irregular forms are a closed list (`words/irregular.txt`); this file is the regular rest. The stem
//! need not be a word, only the same for all inflections of one: "creating", "created" and "creates" give "creat".

/// Longest word that is stemmed, in bytes. Longer ones are identifiers rather than English.
const MAX_STEMMED: usize = 32;

/// Words in -ange, -ste and the like whose final `e` no rule of spelling tells from its absence ("hang", "change").
const SILENT_E: &[&str] = &[
    "arrang", "aveng", "bast", "bath", "challeng", "chang", "cloth", "creat", "exchang", "fring", "hast",
    "larg", "loung", "orang", "past", "plung", "rang", "reveng", "sooth", "strang", "tast", "wast",
];

/// The stem of a lower-case word, written into `out`, which is cleared first. Anything but ASCII letters comes
/// through unchanged.
pub fn stem(word: &str, out: &mut String) {
    out.clear();
    out.push_str(word);
    if word.len() < 4 || word.len() > MAX_STEMMED || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return;
    }
    if !strip_participle(out) {
        strip_plural(out);
    }
    trim(out);
}

/// Takes off -ing and -ed and repairs the spelling; whether it did.
fn strip_participle(word: &mut String) -> bool {
    if word.ends_with("ied") {
        word.truncate(word.len() - 3);
        word.push('y');
        return true;
    }
    let ending = if word.ends_with("ing") {
        3
    } else if word.ends_with("ed") && !word.ends_with("eed") {
        2
    } else {
        return false;
    };
    let base = &word[..word.len() - ending];
    if base.len() < 2 || vowel_groups(base) == 0 {
        return false;
    }
    word.truncate(word.len() - ending);
    restore(word);
    true
}

/// Undoes what an ending did to the base: "stopp" becomes "stop", "mak" becomes "make".
fn restore(base: &mut String) {
    let bytes = base.as_bytes();
    let n = bytes.len();
    let last = bytes[n - 1];
    let one_syllable = vowel_groups(base) == 1;
    if n >= 3 && last == bytes[n - 2] && !is_vowel(last) {
        let keeps = matches!(last, b's' | b'z') || (one_syllable && matches!(last, b'l' | b'f')) || n == 3;
        if !keeps {
            base.pop();
        }
        return;
    }
    let before = if n >= 2 { bytes[n - 2] } else { b' ' };
    let needs_e = SILENT_E.contains(&base.as_str())
        || matches!(last, b'c' | b'v' | b'z' | b'u')
        || (last == b'g' && matches!(before, b'd' | b'r' | b'l'))
        || (last == b'l' && !is_vowel(before) && !matches!(before, b'l' | b'r' | b'w'))
        || (last == b's' && (is_vowel(before) || before == b'n' || before == b'r' || before == b'p'))
        || (one_syllable && is_short_vowel_consonant(bytes));
    if needs_e {
        base.push('e');
    }
}

/// Takes off the ending of a plural or of the third person.
fn strip_plural(word: &mut String) {
    let n = word.len();
    let cut = if word.ends_with("ies") {
        word.truncate(n - 3);
        word.push('y');
        return;
    } else if ["sses", "shes", "ches", "xes", "zzes", "oes"].iter().any(|end| word.ends_with(end)) {
        2
    } else if word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end)) {
        1
    } else {
        return;
    };
    word.truncate(n - cut);
}

/// A word of several syllables loses its final `e` and one of two final `l`s, so that stripped and plain forms agree
/// without a dictionary ("decid", "instal").
fn trim(word: &mut String) {
    let silent = word.len() > 4 && word.ends_with('e') || word.ends_with("ll");
    if silent && vowel_groups(&word[..word.len() - 1]) >= 2 {
        word.pop();
    }
}

/// Consonant, single vowel, consonant at the end, as in "hop(e)" and "writ(e)"; w, x and y never drop an `e`.
fn is_short_vowel_consonant(bytes: &[u8]) -> bool {
    let [.., vowel, last] = bytes else { return false };
    let before = bytes.len().checked_sub(3).map(|i| bytes[i]);
    // "qu" counts as a consonant: "quot(e)".
    let open = match before {
        None => true,
        Some(b'u') => bytes.len() > 3 && bytes[bytes.len() - 4] == b'q',
        Some(b) => !is_vowel(b),
    };
    is_vowel(*vowel) && *vowel != b'y' && !is_vowel(*last) && !matches!(last, b'w' | b'x' | b'y') && open
}

fn is_vowel(byte: u8) -> bool {
    matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// How many runs of vowels a word has: about its syllables.
fn vowel_groups(word: &str) -> usize {
    let mut groups = 0;
    let mut inside = false;
    for (i, byte) in word.bytes().enumerate() {
        let vowel = is_vowel(byte) && !(i == 0 && byte == b'y');
        groups += usize::from(vowel && !inside);
        inside = vowel;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: &str) -> String {
        let mut out = String::new();
        stem(word, &mut out);
        out
    }

    #[test]
    fn inflections_of_one_word_agree() {
        for family in [
            "create creates created creating",
            "hope hopes hoped hoping",
            "hop hops hopped hopping",
            "visit visits visited visiting",
            "write writes writing",
            "handle handles handled handling",
            "change changes changed changing",
            "hang hangs hanged hanging",
            "study studies studied studying",
            "control controls controlled controlling",
            "travel travels traveled travelled traveling travelling",
            "call calls called calling",
            "pass passes passed passing",
            "watch watches watched watching",
            "fix fixes fixed fixing",
            "increase increases increased increasing",
            "decide decides decided deciding",
            "solve solves solved solving",
            "quote quotes quoted quoting",
            "show shows showed showing",
            "walk walks walked walking",
            "agree agrees",
            "merge merges merged merging",
            "charge charges charged charging",
            "close closes closed closing",
            "cancel cancels canceled cancelled cancelling",
            "taste tastes tasted tasting",
            "install installs installed installing",
            "delete deletes deleted deleting",
            "compile compiles compiled compiling",
            "battery batteries",
            "box boxes",
            "potato potatoes",
        ] {
            let stems: Vec<String> = family.split(' ').map(of).collect();
            assert!(stems.iter().all(|s| *s == stems[0]), "{family}: {stems:?}");
        }
    }

    #[test]
    fn different_words_stay_apart() {
        for pair in [
            "hop hope",
            "plan plane",
            "car care",
            "star stare",
            "cheap cheapest",
            "quick quickly",
            "hang change",
            "bus busy",
            "use us",
            "sing single",
            "user use",
            "test taste",
        ] {
            let (a, b) = pair.split_once(' ').unwrap();
            assert_ne!(of(a), of(b), "{pair}");
        }
    }

    #[test]
    fn other_alphabets_and_identifiers_pass() {
        for word in ["straße", "b12ing", "файлы", "", "ing", &"a".repeat(90)] {
            assert_eq!(of(word), word);
        }
    }
}
