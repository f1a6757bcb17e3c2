//! The policy of a router that was given none.

use router_core::{Dialect, Placement, PriceSource, Pricing, Requested, Snapshot, UpstreamModel};
use router_policies::{ANTHROPIC_DEFAULT, Compiled, Diagnostic, Environment, OPENAI_DEFAULT, compile};

use crate::setup::{context, shown, state};

fn environment(variables: &[(&str, &str)]) -> Environment {
    let find = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    Environment::read(find).unwrap_or_else(|found| panic!("{}", shown(&found)))
}

fn policy_of(variables: &[(&str, &str)], ollama: &[&str]) -> Result<Compiled, Vec<Diagnostic>> {
    let ollama: Vec<String> = ollama.iter().map(|name| (*name).to_owned()).collect();
    let file = environment(variables).policy(&ollama);
    compile(&file, &context(&state()))
}

fn compiled(variables: &[(&str, &str)], ollama: &[&str]) -> Result<Snapshot, Vec<Diagnostic>> {
    policy_of(variables, ollama).map(|compiled| {
        assert!(compiled.warnings.is_empty(), "{}", shown(&compiled.warnings));
        compiled.snapshot
    })
}

const ALL: &[(&str, &str)] =
    &[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k"), ("OLLAMA_HOST", "localhost")];

/// Which provider a name goes to.
fn provider<'s>(snapshot: &'s Snapshot, name: &str) -> Option<&'s str> {
    match snapshot.resolve(name)? {
        Requested::Model(id) => snapshot.target(id).map(|(_, provider)| &*provider.name),
        Requested::Auto(_) => Some("auto"),
    }
}

fn candidates(snapshot: &Snapshot) -> Vec<&str> {
    let ids = snapshot.profiles()[0].candidates.iter();
    ids.filter_map(|id| snapshot.model(*id)).map(|model| &*model.name).collect()
}

#[test]
fn names_go_where_they_belong() {
    let snapshot = compiled(ALL, &["llama3.1:8b", "qwen:latest"]).unwrap();
    for (name, goes_to) in [
        ("claude-opus-4-8", "anthropic"),
        ("gpt-4o-mini", "openai"),
        ("text-embedding-3-small", "openai"),
        ("llama3.1:8b", "ollama"),
        ("qwen:latest", "ollama"),
        ("qwen", "ollama"),
        ("llama3.1", "openai"),
        ("auto", "auto"),
    ] {
        assert_eq!(provider(&snapshot, name), Some(goes_to), "{name}");
    }
    assert_eq!(provider(&snapshot, "auto:nothing"), None);
}

#[test]
fn auto_chooses_among_the_first_listed_and_the_documented_ones() {
    let snapshot = compiled(ALL, &["llama3.1:8b", "qwen:latest"]).unwrap();
    assert_eq!(candidates(&snapshot), ["llama3.1:8b", OPENAI_DEFAULT, ANTHROPIC_DEFAULT]);
    let snapshot = compiled(&ALL[1..2], &[]).unwrap();
    assert_eq!(candidates(&snapshot), [ANTHROPIC_DEFAULT]);
}

#[test]
fn an_ollama_without_models_is_served_all_the_same() {
    let snapshot = policy_of(&ALL[2..], &[]).unwrap().snapshot;
    assert!(candidates(&snapshot).is_empty());
    assert_eq!(provider(&snapshot, "auto"), Some("auto"));
}

/// An entry for all names of a provider is priced by the catalogue, name by name. At an address that nobody knows only exact names are.
#[test]
fn models_named_by_callers_have_the_catalogues_price() {
    let gateway = [("OPENAI_BASE_URL", "https://gateway:9000/v1")];
    let variables: Vec<_> = ALL.iter().chain(&gateway).copied().collect();
    for (snapshot, name, priced) in [
        (compiled(ALL, &[]).unwrap(), "gpt-4o-mini", true),
        (compiled(ALL, &[]).unwrap(), "claude-opus-4-8", true),
        (compiled(ALL, &[]).unwrap(), "house-model", false),
        (compiled(&variables, &[]).unwrap(), "gpt-4o-mini", true),
        (compiled(&variables, &[]).unwrap(), "gpt-4o-mini-our-own", false),
    ] {
        let Some(Requested::Model(model)) = snapshot.resolve(name) else { panic!("{name} passes") };
        let (pricing, source) = snapshot.model(model).unwrap().pricing_of(name);
        assert_eq!(*pricing != Pricing::Unpriced, priced, "{name}");
        assert_eq!(source, if priced { PriceSource::Catalogue } else { PriceSource::Nobody }, "{name}");
    }
}

#[test]
fn only_the_documented_models_have_a_price() {
    let snapshot = compiled(ALL, &["llama3.1:8b"]).unwrap();
    for model in snapshot.models() {
        let documented = [OPENAI_DEFAULT, ANTHROPIC_DEFAULT].contains(&&*model.name);
        assert_eq!(model.pricing != Pricing::Unpriced, documented, "{}", model.name);
        let stands_for_all = model.name.contains('*');
        assert_eq!(model.upstream_model == UpstreamModel::AsRequested, stands_for_all, "{}", model.name);
    }
    let baseline = snapshot.baseline.and_then(|id| snapshot.model(id)).unwrap();
    assert_eq!(&*baseline.name, OPENAI_DEFAULT);
}

#[test]
fn providers_are_placed_and_keyed() {
    let extra =
        [("OPENAI_BASE_URL", "https://gateway:9000/v1/"), ("ANTHROPIC_BASE_URL", "https://proxy.example/v1")];
    let variables: Vec<_> = ALL.iter().chain(&extra).copied().collect();
    let snapshot = compiled(&variables, &["qwen"]).unwrap();
    let shown: Vec<_> = snapshot
        .providers()
        .map(|p| {
            (&*p.name, &*p.base_url, p.dialect, p.placement, p.api_key.as_ref().map(|k| k.expose().clone()))
        })
        .collect();
    let key = |name: &str| Some(format!("value of {name}").into());
    assert_eq!(
        shown,
        [
            ("ollama", "http://localhost:11434/v1", Dialect::OpenAi, Placement::Internal, None),
            (
                "openai",
                "https://gateway:9000/v1",
                Dialect::OpenAi,
                Placement::External,
                key("OPENAI_API_KEY")
            ),
            (
                "anthropic",
                "https://proxy.example",
                Dialect::Anthropic,
                Placement::External,
                key("ANTHROPIC_API_KEY")
            ),
        ]
    );
}

#[test]
fn a_shell_that_points_at_the_router_itself_is_refused() {
    let variables = [("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://localhost:8080/v1")];
    let refused = compiled(&variables, &[]).unwrap_err();
    assert!(shown(&refused).contains("is the router itself"), "{}", shown(&refused));
}

#[test]
fn no_provider_is_nothing_to_serve() {
    assert!(environment(&[]).is_empty());
    assert!(!environment(&ALL[..1]).is_empty());
    assert!(Environment::hint().contains("OPENAI_API_KEY"));
}
