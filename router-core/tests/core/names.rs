//! What a requested name stands for, and what is offered where it stands for nothing.

use router_core::{Fault, Reason, Requested};

use crate::ask::ask;
use crate::policy::{Policy, model, policy};
use crate::world::World;

fn catalogue() -> Policy {
    policy()
        .external("gpt-4o", model())
        .external("gpt-4o-mini", model())
        .external("claude-sonnet", model().anthropic())
        .profile("batch", &["gpt-4o-mini"])
        .alias("fast", "gpt-4o-mini")
}

fn near(name: &str) -> Vec<String> {
    let rejection = World::of(&catalogue()).decide(&ask("0.1").model(name)).expect_err("an unknown name");
    assert_eq!(rejection.reason.fault(), Fault::Caller);
    assert_eq!(rejection.reason.retry_after(), None);
    match rejection.reason {
        Reason::ModelNotFound { name: refused, near } => {
            assert_eq!(&*refused, name);
            near.into_iter().map(String::from).collect()
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn misspelt_names_are_offered_the_nearest_first() {
    assert_eq!(near("gtp-4o").first().map(String::as_str), Some("gpt-4o"));
    assert_eq!(near("gpt4o-mini").first().map(String::as_str), Some("gpt-4o-mini"));
    assert_eq!(near("auto:bacth").first().map(String::as_str), Some("auto:batch"));
    assert_eq!(near("fsat").first().map(String::as_str), Some("fast"));
    assert!(near("gpt-4").len() <= 3);
    assert_eq!(near("zzzzzz"), Vec::<String>::new());
}

#[test]
fn the_message_names_them() {
    let world = World::of(&catalogue());
    let rejection = world.decide(&ask("0.1").model("gtp-4o")).expect_err("an unknown name");
    let message = rejection.to_string();
    assert!(message.starts_with("the model 'gtp-4o' does not exist"), "{message}");
    assert!(message.contains("did you mean 'gpt-4o'"), "{message}");
}

#[test]
fn names_are_exact() {
    let world = World::of(&catalogue());
    for unknown in ["GPT-4o", "gpt-4o ", "auto:", "AUTO", "auto:fast"] {
        assert_eq!(world.snapshot.resolve(unknown), None, "{unknown:?}");
    }
    assert_eq!(world.snapshot.resolve("fast"), Some(Requested::Model(world.id("gpt-4o-mini"))));
    assert_eq!(world.snapshot.resolve("auto"), world.snapshot.resolve("auto:default"));
}

#[test]
fn every_name_a_caller_may_use_is_listed_and_resolves() {
    let world = World::of(&catalogue());
    let mut names: Vec<&str> = world.snapshot.names().map(|(name, _)| name).collect();
    names.sort_unstable();
    let expected = ["auto", "auto:batch", "auto:default", "claude-sonnet", "fast", "gpt-4o", "gpt-4o-mini"];
    assert_eq!(names, expected);
    assert!(world.snapshot.names().all(|(name, requested)| world.snapshot.resolve(name) == Some(requested)));
}

#[test]
fn ids_outlive_a_reload_and_are_never_reused() {
    let mut world = World::of(&catalogue());
    let mini = world.id("gpt-4o-mini");
    world.reload(&policy().external("other", model()).external("gpt-4o-mini", model()));
    assert_eq!(world.id("gpt-4o-mini"), mini);
    assert!(world.snapshot.model(mini).is_some());
    let other = world.id("other");
    world.reload(&catalogue());
    assert_eq!(world.id("gpt-4o-mini"), mini);
    assert!(world.snapshot.models().all(|model| model.id != other));
}
