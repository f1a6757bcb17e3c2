//! What is refused before a request is understood: framing and addressing that two servers could read differently.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Version};

use crate::refusal::Refusal;

/// Checks what hyper lets pass.
///
/// # Errors
/// `invalid_request` for a request that another server on the way might frame or address differently.
pub fn inspect<B>(request: &Request<B>) -> Result<(), Refusal> {
    framing(request.headers())?;
    addressing(request)?;
    path(request.uri().path())
}

fn framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if headers.contains_key(header::CONTENT_LENGTH) {
        return Err(Refusal::invalid("send either Content-Length or Transfer-Encoding, not both", None));
    }
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(Refusal::invalid("Transfer-Encoding must be 'chunked' and nothing else", None));
    }
    Ok(())
}

fn addressing<B>(request: &Request<B>) -> Result<(), Refusal> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::invalid("send exactly one Host header", None));
    }
    if request.version() == Version::HTTP_11 && host.is_none() {
        return Err(Refusal::invalid("send a Host header", None));
    }
    match (request.uri().authority(), host) {
        (Some(authority), Some(host))
            if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Err(Refusal::invalid("the request's absolute address and its Host header differ", None))
        }
        _ => Ok(()),
    }
}

/// Dot segments, plain or encoded, let two servers see two paths.
fn path(path: &str) -> Result<(), Refusal> {
    if !path.contains(['.', '%']) {
        return Ok(());
    }
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    let encoded = path.as_bytes().windows(3).any(|bytes| bytes.eq_ignore_ascii_case(b"%2f"));
    if encoded || path.split('/').any(dots) {
        return Err(Refusal::invalid("the path contains dot segments or an encoded slash", None));
    }
    Ok(())
}

/// Refuses what came through this router before.
///
/// # Errors
/// [`Refusal::Loop`] where a `Via` header names `own`.
pub fn refuse_loop(headers: &HeaderMap, own: &str) -> Result<(), Refusal> {
    let passed = headers
        .get_all(header::VIA)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|hop| hop.split_whitespace().nth(1) == Some(own));
    if passed { Err(Refusal::Loop) } else { Ok(()) }
}

/// Adds this router to the way a request has come.
pub fn append_via(headers: &mut HeaderMap, own: &HeaderValue) {
    headers.append(header::VIA, own.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> bool {
        inspect(&build(Request::builder()).body(()).unwrap()).is_err()
    }

    #[test]
    fn ambiguous_framing_and_addressing_is_refused() {
        assert!(!refused(|r| r.uri("/v1/models").header("host", "a")));
        assert!(refused(|r| r.uri("/v1/models")));
        assert!(refused(|r| r.uri("/v1/models").header("host", "a").header("host", "b")));
        assert!(refused(|r| r.uri("http://b/v1/models").header("host", "a")));
        assert!(refused(|r| r.uri("/v1/../v1/models").header("host", "a")));
        assert!(refused(|r| r.uri("/v1/%2E%2e/models").header("host", "a")));
        assert!(refused(|r| r.uri("/v1%2Fmodels").header("host", "a")));
        assert!(refused(|r| {
            r.uri("/")
                .header("host", "a")
                .header("content-length", "1")
                .header("transfer-encoding", "chunked")
        }));
        assert!(refused(|r| r.uri("/").header("host", "a").header("transfer-encoding", "gzip, chunked")));
    }

    #[test]
    fn only_our_own_via_is_a_loop() {
        let mut headers = HeaderMap::new();
        headers.append(header::VIA, HeaderValue::from_static("1.1 other, 2.0 xynergy-router-2"));
        assert!(refuse_loop(&headers, "xynergy-router-1").is_ok());
        append_via(&mut headers, &HeaderValue::from_static("1.1 xynergy-router-1"));
        assert!(refuse_loop(&headers, "xynergy-router-1").is_err());
    }
}
