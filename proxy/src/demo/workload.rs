//! A sample of what a company asks an AI in a day: much that is easy, some that is hard, and a good part of it twice.

use router_core::{Dialect, Endpoint};
use serde_json::{Value, json};

/// One request of the workload.
#[derive(Clone, Debug)]
pub(super) struct Order {
    prompt: String,
    /// Whom it is addressed to.
    pub(super) dialect: Dialect,
    stream: bool,
    /// Carries the tag that a rule of the demo's policy keeps inside.
    pub(super) confidential: bool,
    /// Whether temperature 0 is stated, so that the answer may be cached.
    exact: bool,
}

/// Everyday requests; `{}` is filled from [`SUBJECTS`].
const EASY: [&str; 16] = [
    "Write a short, friendly reminder to {} that the meeting moved to Thursday.",
    "Translate to French: Thank you for your order, {}. It ships tomorrow.",
    "Summarise this in one sentence: {} asked for a refund because the parcel arrived late.",
    "Is this message positive or negative? '{} was very helpful today.'",
    "Give me three subject lines for a newsletter to {}.",
    "Correct the spelling: 'Pleese send the invoise to {}.'",
    "What is a polite way to decline an invitation from {}?",
    "Extract the name from: 'Spoke with {} this morning about parking.'",
    "Turn this into a bullet: {} will bring the printed agenda.",
    "Make this sentence shorter: 'At this point in time {} is not able to attend.'",
    "Suggest a birthday greeting for {}.",
    "Which day comes after Tuesday? Answer {} in one word.",
    "Rewrite in a formal tone: hey {}, got a sec?",
    "Write an out-of-office note; {} stands in for me.",
    "Name a synonym for 'quick' that {} would understand.",
    "Greet {} in Italian.",
];

const SUBJECTS: [&str; 20] = [
    "the sales team",
    "the night shift",
    "our landlord",
    "the new colleague",
    "the warehouse",
    "the front desk",
    "the auditor",
    "the choir",
    "the supplier",
    "the trainee",
    "the board",
    "the neighbour",
    "the plumber",
    "the customer",
    "the caterer",
    "the courier",
    "the support desk",
    "the finance office",
    "the photographer",
    "the gardener",
];

/// Requests in between; `{}` is filled with a number.
const MEDIUM: [&str; 8] = [
    "Compare leasing and buying {} delivery vans over four years: list the costs of each and say when buying wins.",
    "Write a SQL query that lists the {} customers with the highest revenue per month, with ties resolved by name.",
    "Explain why a service with {} replicas can still lose writes when its leader fails, and name two ways to prevent it.",
    "Draft an incident report: {} orders were charged twice after a retry. Include cause, impact, timeline and prevention.",
    "Given a list of {} unsorted integers, describe how to find the median in expected linear time and why that holds.",
    "A train leaves at {} minutes past eight at 90 km/h, another 20 minutes later at 120 km/h. When does the second catch up? Show the steps.",
    "Write a Python function that parses ISO 8601 durations such as 'P{}DT3H' and returns seconds; handle errors.",
    "Outline a test plan with {} cases for a login form with two-factor authentication, including failure modes.",
];

/// Requests that deserve the dear model; `{}` is filled with a number.
const HARD: [&str; 8] = [
    "Prove that for every n ≥ {} there are n consecutive composite integers, then derive a lower bound on the largest prime gap below x. \
     State each lemma you use and prove it. Discuss whether the bound is tight.",
    "Implement in Rust a lock-free bounded multi-producer queue of capacity {} with sequence numbers.\n```rust\nstruct Queue<T> { /* … */ }\n```\n\
     Requirements: 1. no allocation after construction 2. wait-free pop for one consumer 3. explain every memory ordering \
     4. give a loom test 5. analyse the ABA problem. Justify correctness formally.",
    "Derive the closed form of the recurrence T(n) = 3T(n/2) + n^2 log n with T(1) = {}, by the Akra–Bazzi method and by induction. \
     Compare both derivations step by step, prove the base cases, and explain where the master theorem fails.",
    "Design a multi-region payment ledger for {} thousand transactions per second: consistency model, schema with constraints, \
     idempotency, reconciliation, failover with RPO 0. Analyse each failure mode, prove that no money is created, and compare with two alternatives.",
    "Let f be continuous on [0, {}] and differentiable inside. Prove a generalisation of Rolle's theorem for n zeros, then use it to bound \
     the error of Lagrange interpolation at Chebyshev nodes: derive |f(x) − p(x)| ≤ … and evaluate it for e^x with n = 6.",
    "Find all integer solutions of x^2 − {}y^2 = 1 with the continued fraction method. Prove that the fundamental solution generates all of them, \
     compute the first four, and analyse the complexity of the algorithm in bits.",
    "Review this function for races, undefined behaviour and complexity, then rewrite it:\n```c\nint *cache[{}]; int get(int k){ if(!cache[k]) cache[k]=compute(k); \
     return *cache[k]; }\n```\nProve your version linearizable, give the happens-before edges, and a benchmark plan with three workloads.",
    "Given a directed graph with {} nodes and edge costs that may be negative, derive an algorithm for the cheapest cycle through a given node. \
     Prove its correctness, analyse the worst case, implement it in Python with tests, and explain how to parallelise it.",
];

/// What people ask a help desk, in several wordings each, and questions that only look the same.
const HELP_DESK: [&str; 14] = [
    "How do I reset my password?",
    "how to reset a password",
    "What is the best way to reset my password?",
    "How do I turn on dark mode?",
    "how can I turn on the dark mode",
    "How do I turn off dark mode?",
    "How much does a visitor badge cost?",
    "What is the price of a visitor badge?",
    "How many days of leave can I carry over?",
    "How many days of leave may I carry over to next year?",
    "Can I book 2 parking spots?",
    "Can I book 3 parking spots?",
    "Why is the printer on floor 4 offline?",
    "Why is the printer on floor 5 offline?",
];

/// One in so many orders repeats an earlier one.
const REPEAT_ONE_IN: u32 = 4;

/// The workload: the same list for the same number, on every machine.
pub(super) fn orders(count: u32) -> Vec<Order> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut orders: Vec<Order> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let repeat = !orders.is_empty() && rng.u32(..REPEAT_ONE_IN) == 0;
        let order = if repeat { repeated(&orders, &mut rng) } else { fresh(&mut rng) };
        orders.push(order);
    }
    orders
}

/// An earlier order, perhaps streamed this time where it was not before.
fn repeated(orders: &[Order], rng: &mut fastrand::Rng) -> Order {
    let earlier = &orders[rng.usize(..orders.len())];
    Order { stream: rng.bool(), ..earlier.clone() }
}

fn fresh(rng: &mut fastrand::Rng) -> Order {
    if rng.u32(..12) == 0 {
        let prompt = HELP_DESK[rng.usize(..HELP_DESK.len())].to_owned();
        return Order {
            prompt,
            dialect: Dialect::OpenAi,
            stream: rng.bool(),
            confidential: false,
            exact: true,
        };
    }
    let prompt = match rng.u32(..100) {
        0..62 => EASY[rng.usize(..EASY.len())].replace("{}", SUBJECTS[rng.usize(..SUBJECTS.len())]),
        62..84 => MEDIUM[rng.usize(..MEDIUM.len())].replace("{}", &rng.u32(3..60).to_string()),
        _ => HARD[rng.usize(..HARD.len())].replace("{}", &rng.u32(3..60).to_string()),
    };
    Order {
        prompt,
        dialect: if rng.u32(..10) < 7 { Dialect::OpenAi } else { Dialect::Anthropic },
        stream: rng.u32(..10) < 4,
        confidential: rng.u32(..25) == 0,
        exact: rng.u32(..10) < 8,
    }
}

impl Order {
    /// Where it is sent.
    pub(super) fn endpoint(&self) -> Endpoint {
        match self.dialect {
            Dialect::OpenAi => Endpoint::ChatCompletions,
            Dialect::Anthropic => Endpoint::Messages,
        }
    }

    /// The request body.
    pub(super) fn body(&self) -> String {
        let mut body = json!({
            "model": "auto",
            "messages": [{"role": "user", "content": self.prompt}],
            "max_tokens": 400,
        });
        if let Value::Object(fields) = &mut body {
            if self.exact {
                fields.insert("temperature".to_owned(), json!(0));
            }
            if self.stream {
                fields.insert("stream".to_owned(), json!(true));
            }
        }
        body.to_string()
    }

    /// Whether its answer comes as a stream.
    pub(super) fn is_streamed(&self) -> bool {
        self.stream
    }

    /// Whether an answer came to its end.
    pub(super) fn is_complete(&self, body: &[u8]) -> bool {
        let body = String::from_utf8_lossy(body);
        match (self.stream, self.dialect) {
            (false, _) => {
                serde_json::from_str::<Value>(&body).is_ok_and(|answer| answer.get("error").is_none())
            }
            (true, Dialect::OpenAi) => body.trim_end().ends_with("data: [DONE]"),
            (true, Dialect::Anthropic) => body.contains("event: message_stop"),
        }
    }
}

/// A hard request, to explain a decision by.
pub(super) fn example() -> String {
    json!({"model": "auto", "messages": [{"role": "user", "content": HARD[1].replace("{}", "64")}]})
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workload_is_reproducible_and_mixed() {
        let orders = orders(400);
        let bodies = |orders: &[Order]| orders.iter().map(Order::body).collect::<Vec<_>>();
        assert_eq!(bodies(&orders), bodies(&super::orders(400)));
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            for stream in [false, true] {
                assert!(orders.iter().any(|order| order.dialect == dialect && order.stream == stream));
            }
        }
        let distinct: std::collections::HashSet<_> = orders.iter().map(|order| &order.prompt).collect();
        assert!(distinct.len() < 330, "a part of the workload repeats");
    }

    #[test]
    fn an_answer_without_its_end_is_not_complete() {
        let streamed =
            Order { stream: true, dialect: Dialect::OpenAi, ..fresh(&mut fastrand::Rng::with_seed(1)) };
        assert!(streamed.is_complete(b"data: {}\n\ndata: [DONE]\n\n"));
        assert!(!streamed.is_complete(b"data: {}\n\n"));
        let plain = Order { stream: false, ..streamed };
        assert!(plain.is_complete(b"{\"id\":1}"));
        assert!(!plain.is_complete(b"{\"id\":"));
        assert!(!plain.is_complete(b"{\"error\":{}}"));
    }
}
