use super::*;
use crate::learned::features::{self, Visit};
use crate::synthetic;

#[derive(Default)]
struct Words(Vec<u16>);

impl Visit for Words {
    fn gram(&mut self, _bucket: usize, _halves: i32) {}

    fn word(&mut self, bucket: usize) {
        self.0.push(bucket as u16);
    }
}

fn sample(prompt: &str) -> Sample {
    let mut words = Words::default();
    let shape = features::visit(prompt, &mut words);
    Sample { words: words.0, form: Form::of(&shape) }
}

fn unfamiliarity(gate: &Gate, prompt: &str) -> f32 {
    let sample = sample(prompt);
    let mut reading = Reading::default();
    sample.words.iter().for_each(|&bucket| gate.read(&mut reading, usize::from(bucket)));
    gate.unfamiliarity(&reading, &sample.form)
}

fn outside(gate: &Gate, prompts: &[String]) -> f64 {
    prompts.iter().filter(|prompt| unfamiliarity(gate, prompt) > 1.0).count() as f64 / prompts.len() as f64
}

fn prompts(n: usize, era: u64, seed: u64) -> Vec<String> {
    synthetic::rows(n, era, seed).into_iter().map(|row| row.prompt).collect()
}

/// Prompts with a form of their own: three lettered options.
fn lettered(prompts: &[String]) -> Vec<String> {
    prompts.iter().map(|prompt| format!("{prompt}?\nA. {prompt}\nB. no\nC. both")).collect()
}

fn fitted(prompts: &[String]) -> Gate {
    let samples: Vec<Sample> = prompts.iter().map(|prompt| sample(prompt)).collect();
    Gate::fit(&samples, &(0..samples.len()).collect::<Vec<_>>(), &Background::shipped())
}

#[test]
fn its_own_kind_is_inside() {
    let gate = fitted(&prompts(800, 1, 0));
    let own = outside(&gate, &prompts(1000, 1, 9));
    assert!(own <= 0.05, "{own}");
}

#[test]
fn other_words_are_outside() {
    let gate = fitted(&prompts(800, 1, 0));
    assert!(outside(&gate, &prompts(300, 2, 0)) > 0.9);
    assert!(unfamiliarity(&gate, "wake me at half past six tomorrow") > 1.0);
    assert!(unfamiliarity(&gate, "") > 1.0);
}

#[test]
fn the_same_words_in_another_form_are_outside() {
    let plain = prompts(800, 1, 0);
    let gate = fitted(&lettered(&plain));
    assert!(outside(&gate, &prompts(300, 1, 9)) > 0.95);
    assert!(outside(&gate, &lettered(&prompts(300, 1, 9))) <= 0.06);
}

#[test]
fn two_kinds_make_two_parts_and_both_are_inside() {
    let (plain, other) = (prompts(900, 1, 0), lettered(&prompts(900, 2, 0)));
    let gate = fitted(&[plain, other].concat());
    assert!(gate.parts().len() >= 2);
    assert!(outside(&gate, &prompts(300, 1, 9)) <= 0.06);
    assert!(outside(&gate, &lettered(&prompts(300, 2, 9))) <= 0.06);
    // The words of one kind in the form of the other belong to neither.
    assert!(outside(&gate, &prompts(300, 2, 9)) > 0.9);
}

#[test]
fn few_rows_make_one_part() {
    assert_eq!(fitted(&prompts(60, 1, 0)).parts().len(), 1);
}
