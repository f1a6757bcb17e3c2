use super::*;
use proptest::prelude::*;

fn complexity(question: &str) -> f32 {
    StructureScorer.score(&Prompt::of_question(question)).complexity()
}

const EVERYDAY: &[&str] = &[
    "wake me at half past six tomorrow",
    "where is the parcel I ordered on Monday?",
    "Could you recommend a quiet cafe near the station?",
    "my card was swallowed by the machine, what now",
    "how do you say good night in Italian",
    "turn the heating down in the bedroom",
    "Thanks, that is all for now!",
    "What goes well with roasted carrots?",
    "I'd like to move my dentist appointment to Friday",
    "",
];

const HARD: &[&str] = &[
    "Let $f(x) = x^3 - 3x + 1$. Find the sum of the squares of its roots.",
    "Which of the following best describes the role of a catalyst?\nA. It shifts the equilibrium.\nB. It lowers the \
     activation energy.\nC. It raises the temperature.\nD. It is consumed in the reaction.",
    "def median(values: list[float]) -> float:\n    \"\"\"Return the median of the values.\n    >>> median([3, 1, 2])\n    \
     2\n    \"\"\"",
    "Write a function that merges two sorted arrays without extra memory.",
    "A tank holds 120 litres. One pipe fills it in 4 hours, another empties it in 6. If both are open, how long does it \
     take until the tank is half full?",
];

#[test]
fn everyday_requests_stay_internal() {
    for question in EVERYDAY {
        assert!(complexity(question) <= 0.4, "{question}: {}", complexity(question));
    }
}

#[test]
fn hard_requests_leave_internal() {
    for question in HARD {
        assert!(complexity(question) > 0.4, "{question}: {}", complexity(question));
    }
}

#[test]
fn many_constraints_on_code_are_external() {
    let question = "Implement a concurrent LRU cache in Rust.\n\nRequirements:\n- `get` and `put` must be O(1);\n- at most \
        1024 entries, evicting exactly the least recently used one;\n- no global lock: shard by key hash, each shard with \
        its own mutex;\n- entries expire after a given duration without a background thread;\n- the API is generic over \
        `K: Hash + Eq` and `V: Clone`.\n\n```rust\nimpl<K, V> Cache<K, V> {\n    pub fn get(&self, key: &K) -> Option<V>;\n\
        \u{20}   pub fn put(&self, key: K, value: V);\n}\n```\n\nProve that no deadlock is possible, and analyze the worst \
        case complexity.";
    assert!(complexity(question) > 0.8, "{}", complexity(question));
}

#[test]
fn length_alone_stays_hybrid() {
    let long = "the river runs slowly past the old mill and nobody minds ".repeat(2_000);
    let score = complexity(&long);
    assert!(score > 0.4 && score < 0.8, "{score}");
}

#[test]
fn what_stands_around_the_question_counts() {
    let question = "Which of these rooms is free at noon?";
    let plain = complexity(question);
    let with = |change: &dyn Fn(&mut Prompt<'_>)| {
        let mut prompt = Prompt::of_question(question);
        change(&mut prompt);
        StructureScorer.score(&prompt).complexity()
    };
    assert!(with(&|p| p.tools = 5) > plain);
    assert!(with(&|p| p.images = 1) > plain);
    assert!(with(&|p| p.json_schema = true) > plain);
    assert!(with(&|p| p.tool_loop = true) > plain);
    assert!(with(&|p| p.turns = 4) > plain);
}

#[test]
fn courtesy_case_and_blanks_change_nothing() {
    for question in EVERYDAY.iter().chain(HARD).filter(|question| !question.is_empty()) {
        let score = complexity(question);
        for edited in [
            format!("{question}   \n"),
            format!("Hello! {question}"),
            format!("Hi there, {question}"),
            format!("please {question}"),
            format!("{question} Thank you!"),
        ] {
            assert!(
                (complexity(&edited) - score).abs() < 0.02,
                "{edited}: {} / {score}",
                complexity(&edited)
            );
        }
        let shouted = complexity(&question.to_uppercase());
        assert!((shouted - score).abs() < 0.02, "{question}: {shouted} / {score}");
    }
}

#[test]
fn the_terms_are_named_and_add_up() {
    let assessment = StructureScorer.score(&Prompt::of_question(HARD[0]));
    assert_eq!(assessment.terms().len(), 14);
    let sum: f32 = assessment.terms().iter().map(|term| term.value).sum();
    assert!((weights::squash(sum) - assessment.complexity()).abs() < 1e-6);
    assert!(assessment.terms().iter().any(|term| term.name == "formulas" && term.value > 1.0));
}

proptest! {
    #[test]
    fn any_text_gets_the_same_score_twice_between_0_and_1(text in "\\PC{0,400}", turns in 0u32.., tools in 0u32.., images in 0u32..) {
        let prompt = Prompt { question: &text, turns, tools, images, ..Prompt::default() };
        let first = StructureScorer.score(&prompt);
        prop_assert!((0.0..=1.0).contains(&first.complexity()));
        prop_assert!((0.0..=1.0).contains(&first.confidence));
        prop_assert_eq!(first, StructureScorer.score(&prompt));
    }

    #[test]
    fn squashing_never_falls(a in -40f32..40.0, b in -40f32..40.0) {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        prop_assert!(weights::squash(low) <= weights::squash(high));
    }
}
