//! Policies in a few words: `policy().internal("small", model().price(0.05, 0.08)).external("big", model())`.

use std::sync::Arc;
use std::time::Duration;

use router_core::{
    Action, Assessment, Bands, BreakerSettings, CachePolicy, Capabilities, Capability, Condition, Dialect,
    Domain, Model, ModelId, Objective, OutOfDomain, Parts, Placement, Pricing, Profile, ProfileIndex, Prompt,
    Provider, ProviderId, Requested, Rule, Scorer, Snapshot, State, Tenants, Timeouts, TokenPrice,
    UpstreamModel,
};

/// Believes what the question says: it begins with the complexity, and `outside` in it means out of domain.
#[derive(Debug)]
pub struct Stated;

impl Scorer for Stated {
    fn score(&self, prompt: &Prompt<'_>) -> Assessment {
        let stated = prompt.question.split_whitespace().next().and_then(|word| word.parse().ok());
        let mut assessment = Assessment::new(stated.unwrap_or(0.0), 1.0);
        if prompt.question.contains("outside") {
            assessment.domain = Domain::Outside;
        }
        assessment
    }

    fn name(&self) -> &str {
        "stated"
    }
}

/// A model, with a middling price, tier 1, every capability and no known context window.
pub fn model() -> ModelDraft {
    ModelDraft {
        price: Some((1.0, 2.0)),
        tier: 1,
        capabilities: Capabilities::ALL,
        context: None,
        max_output: None,
        dialect: Dialect::OpenAi,
    }
}

#[derive(Clone)]
pub struct ModelDraft {
    price: Option<(f64, f64)>,
    tier: u8,
    capabilities: Capabilities,
    context: Option<u64>,
    max_output: Option<u64>,
    dialect: Dialect,
}

impl ModelDraft {
    /// Dollars per million tokens, prompt and answer.
    pub fn price(self, input: f64, output: f64) -> Self {
        Self { price: Some((input, output)), ..self }
    }

    pub fn unpriced(self) -> Self {
        Self { price: None, ..self }
    }

    pub fn tier(self, tier: u8) -> Self {
        Self { tier, ..self }
    }

    pub fn context(self, tokens: u64) -> Self {
        Self { context: Some(tokens), ..self }
    }

    pub fn max_output(self, tokens: u64) -> Self {
        Self { max_output: Some(tokens), ..self }
    }

    pub fn lacks(self, capability: Capability) -> Self {
        Self { capabilities: self.capabilities.without(capability), ..self }
    }

    pub fn anthropic(self) -> Self {
        Self { dialect: Dialect::Anthropic, ..self }
    }
}

/// What follows from a rule, with models and profiles by name.
#[derive(Clone, Default)]
pub struct Then {
    pub action: Action,
    candidates: Option<Vec<&'static str>>,
    profile: Option<&'static str>,
}

/// A rule's action, to be filled in.
pub fn then() -> Then {
    Then::default()
}

impl Then {
    pub fn candidates(self, names: &[&'static str]) -> Self {
        Self { candidates: Some(names.to_vec()), ..self }
    }

    pub fn profile(self, name: &'static str) -> Self {
        Self { profile: Some(name), ..self }
    }

    pub fn action(self, change: impl FnOnce(&mut Action)) -> Self {
        let mut changed = self;
        change(&mut changed.action);
        changed
    }
}

#[derive(Clone)]
struct ProfileDraft {
    name: &'static str,
    candidates: Option<Vec<&'static str>>,
    objective: Objective,
    bands: Bands,
    fallback: bool,
}

/// An empty policy with a `default` profile over all models to come.
pub fn policy() -> Policy {
    let default = ProfileDraft {
        name: "default",
        candidates: None,
        objective: Objective::Cheapest,
        bands: Bands::default(),
        fallback: true,
    };
    Policy {
        models: Vec::new(),
        profiles: vec![default],
        rules: Vec::new(),
        aliases: Vec::new(),
        unlisted: Vec::new(),
        cache: CachePolicy::default(),
        out_of_domain: None,
        breaker: BreakerSettings {
            failures: 3,
            jitter: 0.0,
            slow_start: Duration::ZERO,
            ..BreakerSettings::default()
        },
    }
}

#[derive(Clone)]
pub struct Policy {
    models: Vec<(&'static str, Placement, ModelDraft)>,
    profiles: Vec<ProfileDraft>,
    rules: Vec<(&'static str, Vec<Condition>, Then)>,
    aliases: Vec<(&'static str, &'static str)>,
    unlisted: Vec<(&'static str, &'static str)>,
    cache: CachePolicy,
    out_of_domain: Option<&'static str>,
    breaker: BreakerSettings,
}

impl Policy {
    pub fn internal(self, name: &'static str, model: ModelDraft) -> Self {
        self.model(name, Placement::Internal, model)
    }

    pub fn external(self, name: &'static str, model: ModelDraft) -> Self {
        self.model(name, Placement::External, model)
    }

    fn model(mut self, name: &'static str, placement: Placement, model: ModelDraft) -> Self {
        self.models.push((name, placement, model));
        self
    }

    /// Changes the default profile.
    pub fn objective(mut self, objective: Objective) -> Self {
        self.profiles[0].objective = objective;
        self
    }

    /// Changes the default profile.
    pub fn bands(mut self, hybrid: f32, external: f32) -> Self {
        self.profiles[0].bands = Bands { hybrid, external };
        self
    }

    /// Changes the default profile.
    pub fn no_fallback(mut self) -> Self {
        self.profiles[0].fallback = false;
        self
    }

    /// Adds a profile like the default one, with these candidates.
    pub fn profile(mut self, name: &'static str, candidates: &[&'static str]) -> Self {
        let default = self.profiles[0].clone();
        self.profiles.push(ProfileDraft { name, candidates: Some(candidates.to_vec()), ..default });
        self
    }

    /// Takes all profiles away, so that `auto` has no meaning.
    pub fn no_profiles(mut self) -> Self {
        self.profiles.clear();
        self
    }

    pub fn rule(mut self, name: &'static str, when: Vec<Condition>, then: Then) -> Self {
        self.rules.push((name, when, then));
        self
    }

    /// `target` is a model, `auto` or `auto:NAME`.
    pub fn alias(mut self, name: &'static str, target: &'static str) -> Self {
        self.aliases.push((name, target));
        self
    }

    /// Lets names with this prefix pass to the entry `model`.
    pub fn unlisted(mut self, prefix: &'static str, model: &'static str) -> Self {
        self.unlisted.push((prefix, model));
        self
    }

    pub fn cache(mut self, change: impl FnOnce(&mut CachePolicy)) -> Self {
        change(&mut self.cache);
        self
    }

    pub fn out_of_domain(self, model: &'static str) -> Self {
        Self { out_of_domain: Some(model), ..self }
    }

    /// Compiles the policy against `state`, as a reload does.
    pub fn snapshot(&self, state: &State, generation: u64) -> Snapshot {
        let providers = self.models.iter().map(|(name, placement, draft)| {
            let id = state.provider_id(name, "http://127.0.0.1:9/v1").expect("few providers");
            provider(id, name, *placement, draft.dialect, self.breaker.clone())
        });
        let providers: Vec<Provider> = providers.collect();
        let models = self.models.iter().zip(&providers).map(|((name, _, draft), provider)| {
            let id = state.model_id(name, provider.id, name).expect("few models");
            let unlisted = self.unlisted.iter().any(|(_, model)| model == name);
            compile(id, name, provider.id, draft, unlisted)
        });
        let models: Vec<Model> = models.collect();
        let names = Names { models: &models, profiles: &self.profiles };
        Snapshot::new(
            generation,
            Parts {
                aliases: self
                    .aliases
                    .iter()
                    .map(|(a, target)| ((*a).into(), names.requested(target)))
                    .collect(),
                profiles: self.profiles.iter().map(|draft| names.profile(draft)).collect(),
                rules: self.rules.iter().map(|(name, when, then)| names.rule(name, when, then)).collect(),
                baseline: models.last().map(|model| model.id),
                unlisted: self.unlisted.iter().map(|(p, model)| ((*p).into(), names.model(model))).collect(),
                cache: self.cache.clone(),
                tenants: Tenants::default(),
                scorer: Arc::new(Stated),
                outcomes: router_core::OutcomePolicy::default(),
                attempts: router_core::AttemptPolicy::default(),
                charter: router_core::charter::Charter::default(),
                origins: router_core::origin::Origins::default(),
                out_of_domain: self
                    .out_of_domain
                    .map_or(OutOfDomain::Structure, |name| OutOfDomain::Model(names.model(name))),
                providers,
                models: models.clone(),
            },
        )
    }
}

fn provider(
    id: ProviderId,
    name: &str,
    placement: Placement,
    dialect: Dialect,
    breaker: BreakerSettings,
) -> Provider {
    Provider {
        id,
        name: format!("at-{name}").into(),
        dialect,
        placement,
        base_url: "http://127.0.0.1:9/v1".into(),
        api_key: None,
        headers: Vec::new(),
        timeouts: Timeouts::default(),
        health: std::sync::Arc::new(router_core::HealthSettings { breaker, ..Default::default() }),
        weight: 1.0,
        probe: None,
        group: 0,
        pool: router_core::PoolSettings::default(),
        tls: router_core::ProviderTls::default(),
        stream_usage: true,
    }
}

fn compile(id: ModelId, name: &str, provider: ProviderId, draft: &ModelDraft, unlisted: bool) -> Model {
    let pricing = draft.price.map_or(Pricing::Unpriced, |(input, output)| {
        let (input, output) = (TokenPrice::per_million(input), TokenPrice::per_million(output));
        Pricing::Priced(router_core::Prices::flat(input, output).into())
    });
    Model {
        id,
        name: name.into(),
        provider,
        upstream_model: if unlisted { UpstreamModel::AsRequested } else { UpstreamModel::Named(name.into()) },
        price_source: router_core::PriceSource::Policy,
        price_list: None,
        pricing,
        context_tokens: draft.context,
        max_output_tokens: draft.max_output,
        tier: draft.tier,
        capabilities: draft.capabilities,
    }
}

/// Resolves the names that drafts use.
struct Names<'a> {
    models: &'a [Model],
    profiles: &'a [ProfileDraft],
}

impl Names<'_> {
    fn model(&self, name: &str) -> ModelId {
        self.models.iter().find(|model| *model.name == *name).expect("a model of the policy").id
    }

    fn profile_index(&self, name: &str) -> ProfileIndex {
        let position = self.profiles.iter().position(|profile| profile.name == name);
        ProfileIndex::new(position.expect("a profile of the policy") as u16)
    }

    fn requested(&self, target: &str) -> Requested {
        match target.strip_prefix("auto") {
            Some(rest) => Requested::Auto(self.profile_index(rest.strip_prefix(':').unwrap_or("default"))),
            None => Requested::Model(self.model(target)),
        }
    }

    fn candidates(&self, names: &[&str]) -> Box<[ModelId]> {
        names.iter().map(|name| self.model(name)).collect()
    }

    fn profile(&self, draft: &ProfileDraft) -> Profile {
        Profile {
            name: draft.name.into(),
            candidates: match &draft.candidates {
                Some(names) => self.candidates(names),
                None => self.models.iter().map(|model| model.id).collect(),
            },
            objective: draft.objective,
            bands: draft.bands,
            fallback: draft.fallback,
        }
    }

    fn rule(&self, name: &str, when: &[Condition], then: &Then) -> Rule {
        let mut action = then.action.clone();
        action.candidates = then.candidates.as_ref().map(|names| self.candidates(names));
        action.profile = then.profile.map(|name| self.profile_index(name));
        Rule::new(name, when.to_vec(), action)
    }
}
