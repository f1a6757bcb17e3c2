//! Chat requests of 1 KB, each different from all others where that is asked for.

/// Length of a request's body: the size at which published comparisons of gateways are made.
const BODY_BYTES: usize = 1_024;

/// Digits of the number that makes a body unique.
const DIGITS: usize = 10;

/// What people ask for: easy and hard, prose, code and numbers, so that a scorer has all of its work to do.
const QUESTIONS: [&str; 6] = [
    "Summarise the attached minutes for somebody who missed the meeting: who promised what, by when, and which two \
     questions were left open. Keep it under 120 words and do not add anything that was not said. ",
    "Our order service answers slowly after every deployment. The pool has 20 connections, p99 is 2.4 s for the first \
     three minutes, then 80 ms. Explain the three most likely causes and how to tell them apart. ",
    "Write a Rust function `fn merge(a: &[u64], b: &[u64]) -> Vec<u64>` for two sorted slices without recursion, then \
     prove that it is stable and give its worst case in comparisons for lengths n and m. ",
    "Translate into formal German: thank you for your patience, the parcel left our warehouse on 14 March and should \
     reach you within three working days; please keep the tracking number at hand. ",
    "Set a reminder for Thursday at 9:30 to call the dentist, and another one a day earlier to find the insurance \
     card. If either collides with something, move it by half an hour. ",
    "A tank fills through two pipes in 6 and 9 hours and empties through a third in 12. All three are opened at noon. \
     When is the tank three quarters full? Show each step and check the result. ",
];

/// Ready-made requests in which only a number is filled in, so that making one costs the generator next to nothing.
pub(crate) struct Bodies {
    /// Whole requests, head and body.
    templates: Vec<Vec<u8>>,
    /// Where the number stands in each.
    number_at: Vec<usize>,
}

impl Bodies {
    /// Requests with this `host`, for a stream or for a plain answer.
    pub(crate) fn new(host: &str, stream: bool) -> Self {
        let (mut templates, mut number_at) = (Vec::new(), Vec::new());
        for question in QUESTIONS {
            let body = body(question, stream);
            let head = format!(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\
                 content-type: application/json\r\nuser-agent: load/1\r\nauthorization: Bearer none\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            let request = head + &body;
            number_at.push(request.find("[0").map_or(0, |at| at + 1));
            templates.push(request.into_bytes());
        }
        Self { templates, number_at }
    }

    /// Writes request `number` over `request`.
    pub(crate) fn write(&self, number: u64, request: &mut Vec<u8>) {
        let which = (number % self.templates.len() as u64) as usize;
        request.clear();
        request.extend_from_slice(&self.templates[which]);
        let digits = format!("{number:0DIGITS$}");
        let at = self.number_at[which];
        request[at..at + DIGITS].copy_from_slice(&digits.as_bytes()[..DIGITS]);
    }
}

fn body(question: &str, stream: bool) -> String {
    let stream = if stream { r#""stream":true,"# } else { "" };
    let before = format!(
        r#"{{"model":"auto","temperature":0,"max_tokens":256,{stream}"messages":[{{"role":"system","content":"You are the assistant of a mail-order company. Answer briefly and in the language of the question."}},{{"role":"user","content":"[{:0DIGITS$}] "#,
        0
    );
    let after = r#""}]}"#;
    let text: String = question.chars().cycle().take(BODY_BYTES - before.len() - after.len()).collect();
    before + &text + after
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_number_is_another_body_of_the_same_length() {
        for stream in [false, true] {
            let bodies = Bodies::new("h", stream);
            let mut seen = HashSet::new();
            for number in [0, 1, 2, 3, 4, 5, 6, 7, 1_234_567_890, 9_999_999_999] {
                let mut request = Vec::new();
                bodies.write(number, &mut request);
                let text = String::from_utf8(request).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                assert!(head.ends_with("content-length: 1024"), "{head}");
                assert_eq!(body.len(), BODY_BYTES);
                let json: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(json["stream"] == true, stream);
                assert!(body.contains(&format!("[{number:010}]")));
                assert!(seen.insert(body.to_owned()));
            }
        }
    }
}
