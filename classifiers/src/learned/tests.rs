use std::collections::HashSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::heuristic::StructureScorer;

#[derive(Deserialize)]
struct Fixture {
    id: String,
    kind: String,
    prompt: String,
}

/// Prompts of our own, of every kind that matters.
fn fixtures() -> Vec<Fixture> {
    include_str!("../../fixtures/prompts.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn shipped() -> &'static LearnedScorer {
    static SCORER: LazyLock<LearnedScorer> = LazyLock::new(|| LearnedScorer::shipped().unwrap());
    &SCORER
}

fn score(scorer: &LearnedScorer, question: &str) -> Assessment {
    scorer.score(&Prompt::of_question(question))
}

fn band(complexity: f32) -> u8 {
    u8::from(complexity > 0.4) + u8::from(complexity > 0.8)
}

/// The scores change only when weights or features do; then run with `UPDATE_GOLDEN=1` and look at the difference.
#[test]
fn golden_scores() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/golden.tsv");
    let scorer = shipped();
    let mut lines = format!("# {}: id, served complexity, domain\n", scorer.name());
    for fixture in fixtures() {
        let assessment = score(scorer, &fixture.prompt);
        lines += &format!("{}\t{:.3}\t{:?}\n", fixture.id, assessment.complexity(), assessment.domain);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &lines).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    assert_eq!(lines.lines().count(), golden.lines().count());
    for (now, golden) in lines.lines().zip(golden.lines()) {
        let (now, golden): (Vec<&str>, Vec<&str>) = (now.split('\t').collect(), golden.split('\t').collect());
        assert_eq!((now[0], now.get(2)), (golden[0], golden.get(2)));
        // Logarithms may differ in their last bit from one machine to another.
        let score = |fields: &[&str]| fields.get(1).map_or(0.0, |score| score.parse::<f32>().unwrap());
        assert!((score(&now) - score(&golden)).abs() < 0.002, "{now:?} {golden:?}");
    }
}

#[test]
fn the_served_score_makes_sense_to_a_person() {
    let scorer = shipped();
    let internal_share = |kind: &str| {
        let of_kind: Vec<_> = fixtures().into_iter().filter(|fixture| fixture.kind == kind).collect();
        assert!(of_kind.len() > 5);
        let internal =
            of_kind.iter().filter(|fixture| band(score(scorer, &fixture.prompt).complexity()) == 0);
        internal.count() as f32 / of_kind.len() as f32
    };
    assert!(internal_share("everyday") >= 0.9);
    for hard in ["exam", "maths", "code", "reasoning"] {
        assert!(internal_share(hard) <= 0.15, "{hard}");
    }
}

#[test]
fn everyday_requests_are_outside_the_domain_and_examinations_inside() {
    let scorer = shipped();
    for fixture in fixtures() {
        let domain = score(scorer, &fixture.prompt).domain;
        match fixture.kind.as_str() {
            "everyday" | "other" => assert_eq!(domain, Domain::Outside, "{}", fixture.prompt),
            "exam" => assert_eq!(domain, Domain::Inside, "{}", fixture.prompt),
            _ => {}
        }
    }
}

#[test]
fn outside_the_domain_structure_decides_and_says_so() {
    let scorer = shipped();
    let prompt = Prompt::of_question("tell my brother I will be late");
    let (served, structural) = (scorer.score(&prompt), StructureScorer.score(&prompt));
    assert_eq!(served.domain, Domain::Outside);
    assert_eq!(served.complexity(), structural.complexity());
    assert!(served.confidence <= 0.5, "no confident score");
    let term = |name| served.terms().iter().find(|term| term.name == name).map(|term| term.value);
    assert!(term("unfamiliarity").unwrap() > 1.0);
    assert!(term("learned_unused").is_some());
}

#[test]
fn small_edits_leave_the_band_alone() {
    let scorer = shipped();
    let (mut edits, mut changed) = (0, 0);
    for fixture in fixtures() {
        let prompt = &fixture.prompt;
        let before = band(score(scorer, prompt).complexity());
        for edited in [
            prompt.to_uppercase(),
            prompt.to_lowercase(),
            format!("Hello! {prompt}"),
            format!("Good morning,\n\n{prompt}"),
            format!("please {prompt}"),
            format!("{prompt}   \n"),
            format!("{prompt} Thanks in advance!"),
        ] {
            edits += 1;
            changed += usize::from(band(score(scorer, &edited).complexity()) != before);
        }
    }
    assert!(changed * 50 <= edits, "{changed} of {edits}");
}

#[test]
fn what_stands_around_the_question_moves_the_score() {
    let scorer = shipped();
    let question = &fixtures().into_iter().find(|fixture| fixture.kind == "exam").unwrap().prompt;
    let plain = score(scorer, question).complexity();
    let with = |change: &dyn Fn(&mut Prompt<'_>)| {
        let mut prompt = Prompt::of_question(question);
        change(&mut prompt);
        scorer.score(&prompt).complexity()
    };
    assert!(with(&|prompt| prompt.tools = 6) > plain);
    assert!(with(&|prompt| prompt.json_schema = true) > plain);
    assert!(with(&|prompt| prompt.images = 1) > plain);
    assert!(with(&|prompt| prompt.turns = 7) > plain);
    assert_eq!(with(&|prompt| prompt.turns = 1), plain);
}

#[test]
fn odd_and_huge_prompts_are_scored() {
    let scorer = shipped();
    let huge = "word ".repeat(2 << 20);
    for text in
        ["", " ", "\u{0}", &"a".repeat(1 << 20), &"\u{1f600}".repeat(1 << 18), &"((((".repeat(1 << 18), &huge]
    {
        let assessment = score(scorer, text);
        assert!((0.0..=1.0).contains(&assessment.complexity()));
    }
    // Only the window is read: what lies between its ends changes nothing but the length.
    let (head, tail) = crate::text::window(&huge);
    assert!(head.len() + tail.len() <= crate::text::HEAD_BYTES + crate::text::TAIL_BYTES);
}

#[test]
fn the_name_tells_weights_apart() {
    let name = shipped().name().to_owned();
    assert!(name.starts_with("complexity-v1-") && name.len() == "complexity-v1-".len() + 8, "{name}");
}

#[test]
fn the_shipped_provenance_is_complete() {
    let provenance = shipped().artifact().provenance().clone();
    assert_eq!((provenance.rows, provenance.assumed), (25_846, 4_279));
    assert!(provenance.note.contains("MIT") && provenance.data.len() == 16);
    let ids: HashSet<String> = fixtures().into_iter().map(|fixture| fixture.id).collect();
    assert_eq!(ids.len(), fixtures().len());
}

proptest! {
    #[test]
    fn any_text_scores_the_same_twice_between_0_and_1(text in "\\PC{0,300}") {
        let scorer = shipped();
        let first = score(scorer, &text);
        prop_assert!((0.0..=1.0).contains(&first.complexity()));
        prop_assert!((0.0..=1.0).contains(&first.confidence));
        prop_assert_eq!(first, score(scorer, &text));
        let said = scorer.predict(&Prompt::of_question(&text));
        prop_assert!((-1.0..=1.0).contains(&said.gain));
        prop_assert_eq!(said.is_inside(), first.domain == Domain::Inside);
    }

    #[test]
    fn a_higher_raw_score_is_never_a_lower_gain_or_complexity(a in -1f32..1.0, b in -1f32..1.0) {
        let artifact = shipped().artifact().clone();
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        let (low, high) = (artifact.interpret(low, 0.0), artifact.interpret(high, 0.0));
        prop_assert!(low.gain <= high.gain && low.complexity <= high.complexity);
    }
}
