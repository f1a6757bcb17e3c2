use super::*;

fn shape(text: &str) -> Shape {
    read(text, |_| {})
}

fn words(text: &str) -> Vec<u32> {
    let mut words = Vec::new();
    read(text, |word| words.push(word.hash));
    words
}

#[test]
fn counts_what_a_problem_is_made_of() {
    let shape = shape("Let $f(x) = x^2 + 3.5$. Find $f(2)$ exactly.");
    assert_eq!((shape.words, shape.numbers, shape.variables), (10, 3, 4));
    assert_eq!((shape.formula_marks, shape.brackets, shape.sentences), (4, 2, 2));
    assert_eq!(shape.operators, 3, "= ^ +");
    assert_eq!(shape.constraints, 1, "exactly");
}

#[test]
fn counts_items_and_not_their_letters() {
    let options = shape("Which one?\nA. red\nB. blue\n(c) no\n- also\n12) twelve");
    assert_eq!((options.items, options.lines, options.questions), (4, 6, 1));
    assert_eq!(options.variables, 1, "c");
    assert_eq!(shape("see B. Then go").items, 0, "in mid-line");
    assert_eq!(shape("A tank holds water.").items, 0, "an article");
}

#[test]
fn counts_traces_of_code() {
    let code = shape("```rust\nfn is_odd(n: u32) -> bool {\n    n % 2 == 1;\n}\n```");
    assert!(code.code >= 5, "{code:?}");
    assert_eq!(code.indented, 1);
    assert_eq!(code.lines, 5);
}

#[test]
fn case_apostrophes_and_blanks_do_not_matter() {
    let plain = words("don't stop the music");
    assert_eq!(words("DON’T  STOP\tthe Music   "), plain);
    assert_eq!(words("\n\n   dont stop the music"), plain);
    assert_eq!(shape("   indented? no").indented, 0, "blanks before the text");
}

#[test]
fn courtesy_leaves_no_trace() {
    let plain = "Which prime is the largest below 100?";
    for polite in [
        "Hello! Which prime is the largest below 100?",
        "Hi there, which prime is the largest below 100?",
        "Good morning!\n\nWhich prime is the largest below 100?",
        "please, Which prime is the largest below 100?",
        "Could you please help me with this? Which prime is the largest below 100?",
        "Please answer the following question:\nWhich prime is the largest below 100?",
        "Which prime is the largest below 100? Thanks in advance!",
        "Which prime is the largest below 100?\n\nThank you very much.",
    ] {
        assert_eq!(words(polite), words(plain), "{polite}");
        assert_eq!(Shape { bytes: 0, ..shape(polite) }, Shape { bytes: 0, ..shape(plain) }, "{polite}");
    }
}

#[test]
fn polite_words_inside_a_request_stay() {
    assert_eq!(shape("wake me tomorrow morning").words, 4);
    assert_eq!(shape("how can you help the refugees there").words, 7);
    assert_eq!(shape("Can you solve it?").words, 4, "no polite word");
}

#[test]
fn other_scripts_have_words_too() {
    assert_eq!(shape("Где находится библиотека?").words, 3);
    assert_eq!(words("БИБЛИОТЕКА"), words("библиотека"));
    assert_eq!(shape("図書館はどこ？").words, 6);
    assert_eq!(shape("図書館はどこ？").questions, 1);
    assert_eq!(shape("∑ θ ≤ 2").operators, 2);
    assert_eq!(shape("∑ θ ≤ 2").variables, 1);
}

#[test]
fn long_texts_are_read_at_both_ends() {
    let long = format!("first {} last", "middle ".repeat(100_000));
    let (head, tail) = window(&long);
    assert!(head.starts_with("first") && tail.ends_with("last"));
    assert!(head.len() + tail.len() <= HEAD_BYTES + TAIL_BYTES);
    let shape = shape(&long);
    assert_eq!(shape.bytes, long.len());
    assert!(shape.word_bytes as usize <= HEAD_BYTES + TAIL_BYTES);
    assert_eq!(words(&long).first(), words("first").first());
    assert_eq!(words(&long).last(), words("last").last());
}

#[test]
fn windows_cut_between_characters() {
    let long = "é漢".repeat(20_000);
    let (head, tail) = window(&long);
    assert!(head.len() <= HEAD_BYTES && tail.len() <= TAIL_BYTES && !tail.is_empty());
}

#[test]
fn one_byte_over_and_over_is_one_word_or_none() {
    assert_eq!(shape(&"a".repeat(100_000)).words, 2, "one at each end");
    assert_eq!(shape(&" ".repeat(100_000)).words, 0);
    assert_eq!(shape(&"\n".repeat(100_000)).lines, 0);
    assert_eq!(shape(&"?".repeat(100)).questions, 100);
    assert_eq!(shape("").words, 0);
}
