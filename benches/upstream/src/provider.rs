//! The provider behind the listener: turns a request into a reply and the faults that hit it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::answer::text;
use crate::builder::Settings;
use crate::fault::Fault;
use crate::memo::Memo;
use crate::prompt::{Invalid, Prompt};
use crate::record::Recorder;
use crate::reply::Reply;
use crate::route::{Dialect, Endpoint, Route};
use crate::script::Script;
use crate::server::Phase;
use crate::{anthropic, openai};

/// The request header that asks for faults.
pub(crate) const FAULT_HEADER: &str = "x-upstream-fault";

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) settings: Settings,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) script: Script,
    pub(crate) memo: Memo,
    pub(crate) phase: watch::Sender<Phase>,
}

/// A reply and what is to go wrong with it.
pub(crate) struct Verdict {
    pub(crate) dialect: Dialect,
    pub(crate) reply: Arc<Reply>,
    pub(crate) faults: Vec<Fault>,
}

/// A refusal: status and reason.
type Refusal = (u16, Invalid);

impl Provider {
    pub(crate) fn new(settings: Settings, phase: watch::Sender<Phase>) -> Self {
        let recorder = Recorder::new(settings.record_limit);
        Self { settings, recorder, script: Script::default(), memo: Memo::default(), phase }
    }

    /// Stops listening, for `pause` or, if that is zero, until told otherwise.
    pub(crate) fn refuse(&self, pause: Duration) {
        let until = (!pause.is_zero()).then(|| Instant::now() + pause);
        self.phase.send_if_modified(|phase| phase.turn(Phase::Refusing { until }));
    }

    /// Decides on a request.
    pub(crate) fn judge(&self, head: &Parts, body: &Bytes) -> Verdict {
        let route = Route::of(head);
        let dialect = route.dialect(&head.headers);
        let judged = self.admit(&route, dialect, &head.headers).and_then(|asked| match route {
            Route::Prompt(endpoint) => self.prompt(endpoint, head.uri.path(), body, asked),
            other => {
                let reply = self.list(&other, dialect)?;
                let faults = self.drawn(asked, None, head.uri.path());
                Ok((self.damaged(reply, &faults, dialect, None), faults))
            }
        });
        let (reply, faults) = judged.unwrap_or_else(|(status, invalid)| {
            (Arc::new(Reply::error(dialect, status, &invalid)), Vec::new())
        });
        Verdict { dialect, reply, faults }
    }

    /// The faults that the request asks for, if it may ask for anything.
    fn admit(&self, route: &Route, dialect: Dialect, headers: &HeaderMap) -> Result<Vec<Fault>, Refusal> {
        let refused = match route {
            _ if !self.knows(dialect, headers) => Some((401, "Incorrect API key provided.")),
            Route::Nowhere => Some((404, "There is nothing at this address.")),
            Route::WrongMethod => Some((405, "This address does not take this method.")),
            Route::Prompt(_) if !self.states_version(dialect, headers) => {
                Some((400, "anthropic-version: header is required"))
            }
            _ => None,
        };
        if let Some((status, message)) = refused {
            return Err((status, Invalid::new(message, None)));
        }
        let wanted = headers.get(FAULT_HEADER).map_or(Ok(""), |value| value.to_str());
        let wanted = wanted.map_err(|_| (400, Invalid::new("x-upstream-fault is not text", None)))?;
        Fault::parse_list(wanted).map_err(|error| (400, Invalid::new(error.to_string(), None)))
    }

    fn states_version(&self, dialect: Dialect, headers: &HeaderMap) -> bool {
        !self.settings.strict || dialect == Dialect::OpenAi || headers.contains_key("anthropic-version")
    }

    /// Whether the caller has the key: a bearer for OpenAI, either form for Anthropic.
    fn knows(&self, dialect: Dialect, headers: &HeaderMap) -> bool {
        let Some(key) = &self.settings.api_key else { return true };
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        let own = headers.get("x-api-key").filter(|_| dialect == Dialect::Anthropic);
        bearer == Some(key.as_bytes()) || own.is_some_and(|own| own.as_bytes() == key.as_bytes())
    }

    fn prompt(
        &self,
        endpoint: Endpoint,
        path: &str,
        body: &Bytes,
        asked: Vec<Fault>,
    ) -> Result<(Arc<Reply>, Vec<Fault>), Refusal> {
        if let Some(seen) = self.memo.recall(endpoint, body) {
            let faults = self.drawn(asked, Some(&seen.model), path);
            if faults.is_empty() {
                return Ok((seen.reply, faults));
            }
            let (prompt, body) = self.read(endpoint, body)?;
            return Ok((self.answer(endpoint, &prompt, &body, &faults), faults));
        }
        let (prompt, value) = self.read(endpoint, body)?;
        let asked = [asked, prompt.faults.clone()].concat();
        let faults = self.drawn(asked, Some(&prompt.model), path);
        let reply = self.answer(endpoint, &prompt, &value, &faults);
        if faults.is_empty() {
            self.memo.remember(endpoint, body, &prompt.model, &reply);
        }
        Ok((reply, faults))
    }

    fn drawn(&self, asked: Vec<Fault>, model: Option<&str>, path: &str) -> Vec<Fault> {
        let mut faults = asked;
        faults.extend(self.script.draw(model, path));
        faults
    }

    fn read(&self, endpoint: Endpoint, body: &Bytes) -> Result<(Prompt, Value), Refusal> {
        let unreadable = |_| (400, Invalid::new("We could not parse the JSON body of your request.", None));
        let value: Value = serde_json::from_slice(body).map_err(unreadable)?;
        let digest = text::hash(body);
        let prompt = match endpoint {
            Endpoint::Chat => openai::chat::read(&value, digest),
            Endpoint::Completions => openai::completions::read(&value, digest),
            Endpoint::Responses => openai::responses::read(&value, digest),
            Endpoint::Embeddings => openai::embeddings::read(&value, digest),
            Endpoint::Messages | Endpoint::CountTokens => anthropic::read(&value, digest),
        };
        let prompt = prompt.map_err(|invalid| (400, invalid))?;
        if self.settings.strict && !self.settings.models.contains(&prompt.model) {
            let message =
                format!("The model `{}` does not exist or you do not have access to it.", prompt.model);
            return Err((404, Invalid::new(message, Some("model"))));
        }
        Ok((prompt, value))
    }

    fn answer(&self, endpoint: Endpoint, prompt: &Prompt, body: &Value, faults: &[Fault]) -> Arc<Reply> {
        let answer = || Answer::compose(&self.settings, prompt, faults);
        let reply = match endpoint {
            Endpoint::Chat => openai::chat::render(prompt, &answer(), &self.settings.fingerprint()),
            Endpoint::Completions => openai::completions::render(prompt, &answer()),
            Endpoint::Responses => openai::responses::render(prompt, &answer()),
            Endpoint::Embeddings => {
                openai::embeddings::render(prompt, body, self.settings.embedding_dimensions)
            }
            Endpoint::Messages => anthropic::render(prompt, &answer()),
            Endpoint::CountTokens => anthropic::count(prompt),
        };
        self.damaged(reply, faults, endpoint.dialect(), Some(endpoint))
    }

    fn list(&self, route: &Route, dialect: Dialect) -> Result<Reply, Refusal> {
        let Settings { models, name, .. } = &self.settings;
        let body = match (route, dialect) {
            (Route::OllamaTags, _) => openai::ollama_tags(models),
            (Route::Model(id), _) if !models.contains(id) => {
                return Err((404, Invalid::new(format!("The model '{id}' does not exist"), Some("model"))));
            }
            (Route::Model(id), Dialect::OpenAi) => openai::model(id, name),
            (Route::Model(id), Dialect::Anthropic) => anthropic::model(id),
            (_, Dialect::OpenAi) => openai::models(models, name),
            (_, Dialect::Anthropic) => anthropic::models(models),
        };
        Ok(Reply::json(StatusCode::OK, &body))
    }

    fn damaged(
        &self,
        reply: Reply,
        faults: &[Fault],
        dialect: Dialect,
        endpoint: Option<Endpoint>,
    ) -> Arc<Reply> {
        let mut reply = faults.iter().find_map(|fault| Reply::instead(fault, dialect)).unwrap_or(reply);
        reply.flush_each &= self.settings.flush_each_event;
        for fault in faults {
            reply.damage(fault, dialect, endpoint);
        }
        Arc::new(reply)
    }
}
