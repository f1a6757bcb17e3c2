use std::sync::LazyLock;

use super::*;
use crate::volatility::dataset::{Changes, Question, read_questions};
use proptest::prelude::*;

fn shipped() -> &'static VolatilityScorer {
    static SCORER: LazyLock<VolatilityScorer> = LazyLock::new(|| VolatilityScorer::shipped().unwrap());
    &SCORER
}

fn class(question: &str) -> Volatility {
    shipped().judge(question).volatility
}

#[test]
fn plain_cases_are_told_apart() {
    for question in
        ["What is the current price of gold per ounce?", "What is the weather forecast for Oslo today?"]
    {
        assert!(class(question).is_short_lived(), "{question}: {:?}", shipped().judge(question));
    }
    for question in ["When did Napoleon die?", "In which year was the telephone invented?"] {
        assert!(!class(question).is_short_lived(), "{question}: {:?}", shipped().judge(question));
    }
}

#[test]
fn a_request_of_another_kind_is_unsure_unless_a_cue_says_now() {
    assert_eq!(
        class(
            "Refactor this function so that it no longer allocates: fn join(a: &str) -> String { todo!() }"
        ),
        Volatility::Unsure
    );
    assert_eq!(class("turn off the lights in the kitchen"), Volatility::Unsure);
    assert_eq!(class("read me the latest headlines now"), Volatility::Week);
    assert_eq!(class(""), Volatility::Unsure);
}

#[test]
fn sooner_changes_are_kept_for_less() {
    use Volatility::{Day, Never, Unsure, Week, Year};
    let ttls: Vec<_> = [Day, Week, Unsure, Year, Never].map(Volatility::ttl).to_vec();
    assert!(ttls.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!((Day.ttl().as_secs(), Never.ttl().as_secs()), (60, 604_800));
}

/// Questions whose wording gives their class away.
fn questions(n: usize) -> Vec<Question> {
    let things = ["bridge", "harbour", "museum", "orchard", "railway", "library", "garden", "stadium"];
    let question = |at: usize| {
        let thing = things[at % things.len()];
        let (question, changes) = match at / things.len() % 4 {
            0 => (
                format!("how many people wait at the {thing} at the moment in hall {}", at % 13),
                Changes::AnHour,
            ),
            1 => (format!("what is shown at the {thing} this week in room {}", at % 17), Changes::AWeek),
            2 => (format!("who leads the {thing} of district {}", at % 19), Changes::AFewYears),
            _ => (format!("when was the {thing} of district {} founded", at % 23), Changes::Never),
        };
        Question { question, changes }
    };
    (0..n).map(question).collect()
}

#[test]
fn learns_what_the_wording_shows_and_repeats_itself() {
    let artifact = train::fit(&questions(600), &crate::learned::train::Options::default()).unwrap();
    let again = train::fit(&questions(600), &crate::learned::train::Options::default()).unwrap();
    assert_eq!(artifact.to_bytes(), again.to_bytes());
    let scorer = VolatilityScorer::new(Artifact::load(&artifact.to_bytes()).unwrap());
    let class = |question: &str| scorer.judge(question).volatility;
    assert_eq!(class("how many people wait at the museum at the moment in hall 3"), Volatility::Day);
    assert_eq!(class("what is shown at the garden this week in room 2"), Volatility::Week);
    assert_eq!(class("who leads the library of district 5"), Volatility::Year);
    assert_eq!(class("when was the stadium of district 4 founded"), Volatility::Never);
    let report = crate::evaluate::volatility::report(&scorer, &questions(900)[600..]);
    assert!(
        report.auc.unwrap() > 0.99 && report.recall.unwrap() > 0.9 && report.flagged.unwrap() < 0.6,
        "{report:?}"
    );
}

#[test]
fn odd_lines_are_named() {
    let fault = |lines: &str| read_questions(lines.as_bytes()).unwrap_err().to_string();
    let good = "{\"question\": \"who?\", \"changes\": \"Never\", \"source\": 1}\n";
    assert_eq!(read_questions(good.as_bytes()).unwrap().len(), 1);
    assert!(
        fault(&format!("{good}{}", good.replace("Never", "Sometimes")))
            .starts_with("line 2: unknown variant `Sometimes`")
    );
    assert!(fault("{\"changes\": \"Never\"}").contains("missing field `question`"));
    assert_eq!(fault(&good.replace("who?", " ")), "line 1: `question` is empty");
    assert_eq!(fault(""), "the data is empty: no line holds a question");
}

proptest! {
    #[test]
    fn any_text_is_judged_the_same_twice(text in "\\PC{0,200}") {
        let scorer = shipped();
        let judgement = scorer.judge(&text);
        prop_assert_eq!(judgement, scorer.judge(&text));
        for probability in [judgement.within_day, judgement.within_week, judgement.never] {
            prop_assert!((0.0..=1.0).contains(&probability));
        }
    }
}

proptest! {
    /// One reading for both judges says what two readings say.
    #[test]
    fn reading_once_is_reading_twice(text in "(\\PC{0,8} ){0,30}") {
        let learned = crate::LearnedScorer::shipped().unwrap();
        let prompt = router_core::score::Prompt::of_question(&text);
        let (assessment, judgement) = learned.score_with(&prompt, shipped());
        prop_assert_eq!(assessment, router_core::score::Scorer::score(&learned, &prompt));
        prop_assert_eq!(judgement, shipped().judge(&text));
    }
}
