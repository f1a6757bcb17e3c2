//! The judge of prompts: how hard one is, and how soon its answer goes stale.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use router_classifiers::learned::artifact::Artifact;
use router_classifiers::volatility::VolatilityScorer;
use router_classifiers::{LearnedScorer, StructureScorer};
use router_core::{Assessment, Prompt, Scorer};
use router_policies::ScorerLoader;

/// A scorer that also knows about volatility.
#[derive(Clone)]
pub struct Judge {
    complexity: Complexity,
    volatility: Option<VolatilityScorer>,
}

/// How hard a prompt is, by what was learned or by structure.
#[derive(Clone, Debug)]
enum Complexity {
    Learned(Box<LearnedScorer>),
    Structure(StructureScorer),
}

impl Complexity {
    fn scorer(&self) -> &dyn Scorer {
        match self {
            Self::Learned(scorer) => &**scorer,
            Self::Structure(scorer) => scorer,
        }
    }
}

impl Judge {
    /// With the weights that are part of the program.
    #[must_use]
    pub fn shipped() -> Self {
        // The weights are checked by tests; a damaged program still routes, by structure.
        let complexity = match LearnedScorer::shipped() {
            Ok(learned) => Complexity::Learned(Box::new(learned)),
            Err(error) => {
                tracing::error!(event = "shipped_weights_unreadable", error = %error);
                Complexity::Structure(StructureScorer)
            }
        };
        Self::of(complexity)
    }

    fn of(complexity: Complexity) -> Self {
        Self { complexity, volatility: VolatilityScorer::shipped().ok() }
    }
}

/// Makes a judge of the weights that a policy names.
#[must_use]
pub fn weights_loader() -> ScorerLoader {
    Arc::new(|bytes| {
        let artifact = Artifact::load(bytes).map_err(|error| error.to_string())?;
        Ok(Arc::new(Judge::of(Complexity::Learned(Box::new(LearnedScorer::new(artifact))))))
    })
}

impl Scorer for Judge {
    fn score(&self, prompt: &Prompt<'_>) -> Assessment {
        self.complexity.scorer().score(prompt)
    }

    fn judge(&self, prompt: &Prompt<'_>) -> (Assessment, Option<Duration>) {
        match (&self.complexity, &self.volatility) {
            (Complexity::Learned(learned), Some(volatility)) => {
                let (assessment, judgement) = learned.score_with(prompt, volatility);
                (assessment, Some(judgement.volatility.ttl()))
            }
            _ => (self.score(prompt), self.keeps_for(prompt.question)),
        }
    }

    fn keeps_for(&self, question: &str) -> Option<Duration> {
        self.volatility.as_ref().map(|scorer| scorer.judge(question).volatility.ttl())
    }

    fn name(&self) -> &str {
        self.complexity.scorer().name()
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Judge").field(&self.complexity).finish()
    }
}
