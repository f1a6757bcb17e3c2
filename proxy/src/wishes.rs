//! What a caller says in headers.

use std::str::FromStr;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName};
use router_core::{CacheWish, Digest, Placement, RouteRequest, Tags, Tenant, TenantId, Usd};

use crate::headers::name;
use crate::refusal::Refusal;

/// Tags a request may carry: as many as a rule file sensibly tells apart.
const MAX_TAGS: usize = 32;

/// The router's request headers, read and checked.
#[derive(Debug, Default)]
pub struct Wishes<'h> {
    placement: Option<Placement>,
    max_cost: Option<Usd>,
    session: Option<&'h str>,
    tags: Tags<'h>,
    cache: CacheWish,
}

impl<'h> Wishes<'h> {
    /// Reads the headers.
    ///
    /// # Errors
    /// A header whose value is not what the contract says; nothing is guessed.
    pub fn read(headers: &'h HeaderMap) -> Result<Self, Refusal> {
        Ok(Self {
            placement: placement(headers)?,
            max_cost: max_cost(headers)?,
            session: text(headers, &name::SESSION, "x-router-session")?,
            tags: tags(headers)?,
            cache: cache(headers)?,
        })
    }

    /// The request that the core decides on. The tenant's own tags come first, so that a caller cannot override them.
    #[must_use]
    pub fn request<'a>(
        &'a self,
        digest: &'a Digest,
        tenant: TenantId,
        known: Option<&'a Tenant>,
    ) -> RouteRequest<'a> {
        let own = known.into_iter().flat_map(|tenant| &tenant.tags).map(|(key, value)| (&**key, &**value));
        RouteRequest {
            digest,
            tenant,
            tags: own.chain(self.tags.iter().copied()).collect(),
            placement: self.placement,
            max_cost: self.max_cost,
            session: self.session,
            cache: self.cache,
            profile: None,
        }
    }
}

fn text<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    param: &'static str,
) -> Result<Option<&'h str>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim())),
        Err(_) => Err(Refusal::invalid(format!("header '{param}' must be printable ASCII"), Some(param))),
    }
}

fn placement(headers: &HeaderMap) -> Result<Option<Placement>, Refusal> {
    let Some(value) = text(headers, &name::PLACEMENT, "x-router-placement")? else { return Ok(None) };
    Placement::from_name(value).map(Some).ok_or_else(|| {
        Refusal::invalid(
            "header 'x-router-placement' must be 'internal' or 'external'",
            Some("x-router-placement"),
        )
    })
}

fn number<T: FromStr>(
    headers: &HeaderMap,
    name: &HeaderName,
    param: &'static str,
    expected: &str,
) -> Result<Option<T>, Refusal> {
    let Some(value) = text(headers, name, param)? else { return Ok(None) };
    let invalid = |_| Refusal::invalid(format!("header '{param}' must be {expected}"), Some(param));
    value.parse().map(Some).map_err(invalid)
}

fn max_cost(headers: &HeaderMap) -> Result<Option<Usd>, Refusal> {
    const PARAM: &str = "x-router-max-cost-usd";
    const EXPECTED: &str = "an amount in dollars, like 0.02";
    match number::<f64>(headers, &name::MAX_COST, PARAM, EXPECTED)? {
        Some(dollars) if !dollars.is_finite() || dollars < 0.0 => {
            Err(Refusal::invalid(format!("header '{PARAM}' must be {EXPECTED}"), Some(PARAM)))
        }
        dollars => Ok(dollars.map(Usd::from_dollars)),
    }
}

fn tags(headers: &HeaderMap) -> Result<Tags<'_>, Refusal> {
    const PARAM: &str = "x-router-tags";
    let Some(value) = text(headers, &name::TAGS, PARAM)? else { return Ok(Tags::new()) };
    let mut tags = Tags::new();
    for pair in value.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() && tags.len() < MAX_TAGS => {
                tags.push((key.trim(), value.trim()));
            }
            Some(_) if tags.len() >= MAX_TAGS => {
                return Err(Refusal::invalid(
                    format!("header '{PARAM}' holds more than {MAX_TAGS} tags"),
                    Some(PARAM),
                ));
            }
            _ => {
                return Err(Refusal::invalid(format!("header '{PARAM}' must be 'key=value,…'"), Some(PARAM)));
            }
        }
    }
    Ok(tags)
}

fn cache(headers: &HeaderMap) -> Result<CacheWish, Refusal> {
    let ttl = number::<u64>(headers, &name::CACHE_TTL, "x-router-cache-ttl", "a whole number of seconds")?;
    let mut wish = CacheWish { ttl: ttl.map(Duration::from_secs), ..CacheWish::default() };
    let directives = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    for directive in directives.flat_map(|value| value.split(',')).map(str::trim) {
        wish.no_read |= directive.eq_ignore_ascii_case("no-cache");
        wish.no_store |= directive.eq_ignore_ascii_case("no-store");
    }
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn every_header_is_read() {
        let headers = headers(&[
            ("x-router-placement", "internal"),
            ("x-router-max-cost-usd", "0.02"),
            ("x-router-tags", "data=confidential, team = blue"),
            ("x-router-cache-ttl", "30"),
            ("cache-control", "max-age=0, No-Cache"),
        ]);
        let wishes = Wishes::read(&headers).unwrap();
        assert_eq!(wishes.placement, Some(Placement::Internal));
        assert_eq!(wishes.max_cost, Some(Usd::from_nanos(20_000_000)));
        assert_eq!(&wishes.tags[..], [("data", "confidential"), ("team", "blue")]);
        assert_eq!(
            wishes.cache,
            CacheWish { no_read: true, no_store: false, ttl: Some(Duration::from_secs(30)) }
        );
    }

    #[test]
    fn a_wrong_value_names_its_header() {
        for (name, value) in [
            ("x-router-placement", "inside"),
            ("x-router-max-cost-usd", "-1"),
            ("x-router-max-cost-usd", "NaN"),
            ("x-router-max-cost-usd", "much"),
            ("x-router-cache-ttl", "1h"),
            ("x-router-tags", "confidential"),
            ("x-router-tags", "=x"),
        ] {
            let headers = headers(&[(name, value)]);
            let refusal = Wishes::read(&headers).unwrap_err();
            assert!(refusal.to_string().contains(name), "{name}: {refusal}");
        }
    }
}
