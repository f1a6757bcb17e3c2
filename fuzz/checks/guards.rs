//! What must hold when two questions are compared, whatever they are. Shared by the fuzz target and the test that replays its seeds.

use router_core::cache::agreement::Agreement;
use router_core::cache::digest::{Digest, MAX_BYTES};
use router_core::cache::guard::Guard;
use router_core::cache::matcher::judge;

/// Compares two texts, one a line, and panics where an invariant does not hold.
pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (one, other) = text.split_once('\n').unwrap_or((&text, ""));
    let (a, b) = (Digest::of(one), Digest::of(other));
    for cosine in [None, Some(0.0), Some(0.97), Some(1.0), Some(f32::NAN), Some(-3.0)] {
        let (there, back) = (judge(&a, &b, cosine), judge(&b, &a, cosine));
        assert!((0.0..=1.0).contains(&there.score) && (0.0..=1.0).contains(&there.overlap), "{there:?}");
        assert_eq!(there.vetoes, back.vetoes, "a guard that objects one way only");
        // Where words repeat, the two ways may pair them differently and the scores differ a little; guards may not.
        assert!(there.vetoes.is_empty() || !there.serves(0.0), "a veto was overruled");
    }
    for (text, digest) in [(one, &a), (other, &b)] {
        let own = judge(digest, digest, None);
        assert!(own.vetoes.iter().all(|guard| guard == Guard::Language), "{:?} against itself", own.vetoes);
        assert!(!digest.is_fit() || text.len() <= MAX_BYTES);
        assert!(digest.bytes() < 64 << 10);
    }
    assert_eq!(Agreement::of(one, other).says_same(), Agreement::of(other, one).says_same());
    assert_eq!(Agreement::of(one, one), Agreement::Exact);
}
