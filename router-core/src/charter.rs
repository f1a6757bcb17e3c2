//! How much a policy lets be used and spent, by whom: limits and budgets with what they count together.
//!
//! A policy states a limit or a budget once; compiled, there is one [`LimitEntry`] or [`BudgetEntry`] for everybody whom it counts apart. What
//! was used and spent is shared by all snapshots that have an entry of the same name, so a reload resets nothing. A request finds its entries by
//! hashing each of the few [`Scope`]s that it falls under, however many entries there are.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::budget::{Budget, Spender, Terms};
use crate::ids::{ModelId, ProfileIndex, RuleIndex, TenantId};
use crate::limit::{Limit, Limiter};

/// What a limit or budget counts together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    Router,
    /// The requests of a tenant.
    Tenant(TenantId),
    /// The requests made with a key.
    Key(Spender),
    /// The requests sent to a model.
    Model(ModelId),
    /// The requests that match a rule.
    Rule(RuleIndex),
    /// The requests with this tag: key, value.
    Tag(Box<str>, Box<str>),
}

/// A limit on what one scope may use.
#[derive(Clone, Debug)]
pub struct LimitEntry {
    /// Its name in the policy.
    pub name: Arc<str>,
    /// What it counts.
    pub scope: Scope,
    /// What the policy allows.
    pub limit: Limit,
    /// What has been used.
    pub limiter: Arc<Limiter>,
}

/// A limit on what one scope may spend.
#[derive(Clone, Debug)]
pub struct BudgetEntry {
    /// What it counts.
    pub scope: Scope,
    /// What the policy allows.
    pub terms: Arc<Terms>,
    /// What has been spent.
    pub budget: Arc<Budget>,
    /// What happens to requests for which there is no money left.
    pub when_exhausted: WhenExhausted,
}

/// What happens to requests for which there is no money left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenExhausted {
    /// They are refused.
    #[default]
    Deny,
    /// Internal models answer them.
    Internal,
    /// A profile's models answer them.
    Profile(ProfileIndex),
}

/// Who a request is counted for.
#[derive(Clone, Debug)]
pub struct Party<'a> {
    /// The caller's organisation.
    pub tenant: TenantId,
    /// The caller's key; number 0 where none is needed.
    pub spender: Spender,
    /// The rule that matched.
    pub rule: Option<RuleIndex>,
    /// Its tags.
    pub tags: &'a [(&'a str, &'a str)],
}

/// All limits and budgets of a policy.
#[derive(Clone, Debug, Default)]
pub struct Charter {
    /// Whether models without a price are refused.
    pub refuse_unpriced: bool,
    /// Answer tokens for which money is set aside where a request states no limit; `None`: the model's own longest answer.
    pub reserve_output_tokens: Option<u64>,
    limits: Vec<LimitEntry>,
    budgets: Vec<BudgetEntry>,
    limits_by_scope: HashMap<Scope, SmallVec<[usize; 2]>>,
    budgets_by_scope: HashMap<Scope, SmallVec<[usize; 2]>>,
}

impl Charter {
    /// Indexes limits and budgets by what they count.
    #[must_use]
    pub fn new(limits: Vec<LimitEntry>, budgets: Vec<BudgetEntry>) -> Self {
        Self {
            limits_by_scope: by_scope(limits.iter().map(|limit| &limit.scope)),
            budgets_by_scope: by_scope(budgets.iter().map(|budget| &budget.scope)),
            limits,
            budgets,
            ..Self::default()
        }
    }

    /// Every limit.
    #[must_use]
    pub fn limits(&self) -> &[LimitEntry] {
        &self.limits
    }

    /// Every budget.
    #[must_use]
    pub fn budgets(&self) -> &[BudgetEntry] {
        &self.budgets
    }

    /// The limits that a request falls under whoever answers it.
    #[must_use]
    pub fn limits_of(&self, party: &Party<'_>) -> SmallVec<[&LimitEntry; 4]> {
        found(&self.limits, &self.limits_by_scope, party)
    }

    /// The limits of a model.
    #[must_use]
    pub fn limits_of_model(&self, model: ModelId) -> SmallVec<[&LimitEntry; 4]> {
        let mut limits = SmallVec::new();
        if !self.limits.is_empty() {
            collect(&self.limits, &self.limits_by_scope, &Scope::Model(model), &mut limits);
        }
        limits
    }

    /// The budgets that a request falls under.
    #[must_use]
    pub fn budgets_of(&self, party: &Party<'_>) -> SmallVec<[&BudgetEntry; 4]> {
        found(&self.budgets, &self.budgets_by_scope, party)
    }
}

type Index = HashMap<Scope, SmallVec<[usize; 2]>>;

fn by_scope<'a>(scopes: impl Iterator<Item = &'a Scope>) -> Index {
    let mut index = Index::new();
    for (at, scope) in scopes.enumerate() {
        index.entry(scope.clone()).or_default().push(at);
    }
    index
}

fn found<'a, T>(entries: &'a [T], index: &Index, party: &Party<'_>) -> SmallVec<[&'a T; 4]> {
    let mut found = SmallVec::new();
    if entries.is_empty() {
        return found;
    }
    collect(entries, index, &Scope::Key(party.spender), &mut found);
    collect(entries, index, &Scope::Tenant(party.tenant), &mut found);
    if let Some(rule) = party.rule {
        collect(entries, index, &Scope::Rule(rule), &mut found);
    }
    for (at, (key, value)) in party.tags.iter().enumerate() {
        // The first value of a key counts, as for rules; a key that is said twice is counted once.
        if party.tags[..at].iter().all(|(earlier, _)| earlier != key) {
            collect(entries, index, &Scope::Tag((*key).into(), (*value).into()), &mut found);
        }
    }
    collect(entries, index, &Scope::Router, &mut found);
    found
}

fn collect<'a, T>(entries: &'a [T], index: &Index, scope: &Scope, found: &mut SmallVec<[&'a T; 4]>) {
    let positions = index.get(scope).into_iter().flatten();
    found.extend(positions.filter_map(|at| entries.get(*at)));
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn limit(name: &str, scope: Scope) -> LimitEntry {
        let limiter = Arc::new(Limiter::new(Instant::now()));
        LimitEntry { name: name.into(), scope, limit: Limit::default(), limiter }
    }

    #[test]
    fn a_request_falls_under_what_names_it_and_nothing_else() {
        let tag = |key: &str, value: &str| Scope::Tag(key.into(), value.into());
        let charter = Charter::new(
            vec![
                limit("all", Scope::Router),
                limit("a", Scope::Tenant(TenantId::new(1))),
                limit("b", Scope::Tenant(TenantId::new(2))),
                limit("key", Scope::Key(Spender(7))),
                limit("rule", Scope::Rule(RuleIndex::new(0))),
                limit("team", tag("team", "x")),
                limit("other team", tag("team", "y")),
                limit("model", Scope::Model(ModelId::new(3))),
            ],
            Vec::new(),
        );
        let names = |limits: SmallVec<[&LimitEntry; 4]>| {
            limits.iter().map(|limit| limit.name.to_string()).collect::<Vec<_>>()
        };
        let party = Party {
            tenant: TenantId::new(1),
            spender: Spender(7),
            rule: Some(RuleIndex::new(0)),
            // A caller's second word for a tag of its tenant counts nowhere.
            tags: &[("team", "x"), ("team", "y")],
        };
        assert_eq!(names(charter.limits_of(&party)), ["key", "a", "rule", "team", "all"]);
        let nobody = Party { tenant: TenantId::ANONYMOUS, spender: Spender(0), rule: None, tags: &[] };
        assert_eq!(names(charter.limits_of(&nobody)), ["all"]);
        assert_eq!(names(charter.limits_of_model(ModelId::new(3))), ["model"]);
        assert!(charter.budgets_of(&party).is_empty());
    }
}
