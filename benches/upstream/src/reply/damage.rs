//! What faults do to a reply once it is bytes.

use bytes::Bytes;
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{Chunk, Ending, Reply};
use crate::fault::{Fault, Offset};
use crate::prompt::Invalid;
use crate::route::{Dialect, Endpoint};
use crate::{anthropic, openai};

/// U+FFFD as UTF-8, which no answer of ours contains by itself …
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();
/// … and what becomes of it: as many bytes, none of which is ever valid.
const NOT_UTF8: &[u8] = b"\xff\xfe\xff";

impl Reply {
    /// What a fault says instead of an answer, if it does.
    pub(crate) fn instead(fault: &Fault, dialect: Dialect) -> Option<Self> {
        match fault {
            Fault::Status { code, retry_after_seconds } => {
                let invalid = Invalid::new(format!("Scripted failure: status {code}."), None);
                let mut reply = Self::error(dialect, *code, &invalid);
                if let Some(seconds) = retry_after_seconds {
                    reply.headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
                }
                Some(reply)
            }
            Fault::Redirect(to) => {
                let mut reply = Self::plain(StatusCode::FOUND, "text/plain", Bytes::new());
                reply.headers.extend(HeaderValue::from_str(to).map(|to| (LOCATION, to)));
                Some(reply)
            }
            Fault::Garbage => {
                let page = "<!doctype html><title>Welcome</title><p>This is not the API you are looking for.";
                Some(Self::plain(StatusCode::OK, "text/html", page.into()))
            }
            _ => None,
        }
    }

    /// Does what a fault does to bytes and headers.
    pub(crate) fn damage(&mut self, fault: &Fault, dialect: Dialect, endpoint: Option<Endpoint>) {
        match fault {
            Fault::Reset(at) => self.break_off(*at, Ending::Reset),
            Fault::Close(at) => self.break_off(*at, Ending::Close),
            Fault::Stall(at) => self.break_off(*at, Ending::Stall),
            Fault::End(at) => {
                self.break_off(*at, Ending::Clean);
                self.length = None;
            }
            Fault::NoTerminator if self.is_stream() => drop(self.chunks.pop()),
            Fault::ErrorEvent(frames) => self.fail(*frames as usize, dialect, endpoint),
            Fault::InvalidUtf8 => {
                self.chunks.iter_mut().for_each(|chunk| chunk.bytes = spoil_utf8(&chunk.bytes));
            }
            Fault::ShortBody(bytes) => self.promise(u64::from(*bytes)),
            Fault::Crlf if self.is_stream() => {
                self.chunks.iter_mut().for_each(|chunk| chunk.bytes = crlf(&chunk.bytes));
            }
            Fault::Split(bytes) => self.split(*bytes as usize),
            Fault::RateLimitHeaders(left) => match dialect {
                Dialect::OpenAi => openai::limit(&mut self.headers, *left),
                Dialect::Anthropic => anthropic::limit(&mut self.headers, *left),
            },
            Fault::HugeHeaders(bytes) => pad(&mut self.headers, *bytes as usize),
            _ => {}
        }
    }

    fn break_off(&mut self, at: Offset, ending: Ending) {
        let keep = match at {
            Offset::Bytes(bytes) => bytes,
            Offset::Frames(0) => 0,
            Offset::Frames(_) if !self.is_stream() => self.len() / 2,
            Offset::Frames(frames) => {
                self.chunks.iter().take(frames as usize).map(|chunk| chunk.bytes.len() as u64).sum()
            }
        };
        self.truncate(keep);
        self.ending = ending;
    }

    fn truncate(&mut self, bytes: u64) {
        let mut left = bytes;
        for chunk in &mut self.chunks {
            let keep = left.min(chunk.bytes.len() as u64);
            chunk.bytes.truncate(keep as usize);
            left -= keep;
        }
        self.chunks.retain(|chunk| !chunk.bytes.is_empty());
    }

    /// An error at status 200: in the place of what follows, or of everything if the reply is plain.
    fn fail(&mut self, frames: usize, dialect: Dialect, endpoint: Option<Endpoint>) {
        let data = match (dialect, endpoint) {
            (Dialect::Anthropic, _) => anthropic::overloaded(),
            (_, Some(Endpoint::Responses)) if self.is_stream() => openai::responses::error_event(frames),
            _ => openai::error(500, &Invalid::new("The server had an error while answering.", None)),
        };
        let name = if dialect == Dialect::Anthropic || endpoint == Some(Endpoint::Responses) {
            "event: error\n"
        } else {
            ""
        };
        if self.is_stream() {
            self.chunks.truncate(frames);
            let bytes = format!("{name}data: {}\n\n", data.text()).into();
            self.chunks.push(Chunk { bytes, tokens: 0 });
        } else {
            *self = Self { prompt_tokens: self.prompt_tokens, ..Self::json(StatusCode::OK, &data) };
        }
    }

    /// States a length that the body falls short of. A stream states none.
    fn promise(&mut self, missing: u64) {
        if let Some(length) = &mut self.length {
            *length += missing;
            self.ending = Ending::Close;
        }
    }

    fn split(&mut self, bytes: usize) {
        let whole = std::mem::take(&mut self.chunks);
        for Chunk { bytes: mut rest, mut tokens } in whole {
            while !rest.is_empty() {
                let bytes = rest.split_to(bytes.min(rest.len()));
                self.chunks.push(Chunk { bytes, tokens: std::mem::take(&mut tokens) });
            }
        }
        self.length = None;
        self.flush_each = true;
    }
}

fn spoil_utf8(bytes: &Bytes) -> Bytes {
    let mut spoilt = bytes.to_vec();
    for at in 0..spoilt.len() {
        if spoilt[at..].starts_with(REPLACEMENT) {
            spoilt[at..at + REPLACEMENT.len()].copy_from_slice(NOT_UTF8);
        }
    }
    spoilt.into()
}

fn crlf(bytes: &Bytes) -> Bytes {
    bytes.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]).into()
}

/// Four headers of equal size: few enough for a client's limit on their number.
fn pad(headers: &mut HeaderMap, bytes: usize) {
    let names = ["x-padding-a", "x-padding-b", "x-padding-c", "x-padding-d"];
    let padding = HeaderValue::from_maybe_shared(Bytes::from(vec![b'x'; bytes / names.len()]));
    let Ok(padding) = padding else { return };
    headers.extend(names.map(|name| (HeaderName::from_static(name), padding.clone())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::object;
    use crate::reply::Events;

    fn stream() -> Reply {
        let mut events = Events::default();
        for data in ["one", "two\u{FFFD}", "[DONE]"] {
            events.data(data, 1);
        }
        Reply::stream(events, 1)
    }

    fn damaged(mut reply: Reply, fault: Fault) -> (String, Ending) {
        reply.damage(&fault, Dialect::OpenAi, Some(Endpoint::Chat));
        let bytes: Vec<u8> = reply.chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
        (String::from_utf8_lossy(&bytes).into_owned(), reply.ending)
    }

    #[test]
    fn a_stream_breaks_off_at_frames_and_bytes() {
        let (body, ending) = damaged(stream(), Fault::Reset(Offset::Frames(1)));
        assert_eq!((body.as_str(), ending), ("data: one\n\n", Ending::Reset));
        let (body, ending) = damaged(stream(), Fault::Close(Offset::Bytes(13)));
        assert_eq!((body.as_str(), ending), ("data: one\n\nda", Ending::Close));
        let (body, ending) = damaged(stream(), Fault::End(Offset::Frames(0)));
        assert_eq!((body.as_str(), ending), ("", Ending::Clean));
    }

    #[test]
    fn a_plain_body_keeps_the_length_it_promised() {
        let body = object! {"text": "0123456789"};
        let mut reply = Reply::json(StatusCode::OK, &body);
        reply.damage(&Fault::Close(Offset::Frames(2)), Dialect::OpenAi, None);
        assert_eq!((reply.length, reply.len()), (Some(21), 10));
        let mut reply = Reply::json(StatusCode::OK, &body);
        reply.damage(&Fault::ShortBody(5), Dialect::OpenAi, None);
        assert_eq!((reply.length, reply.len()), (Some(26), 21));
    }

    #[test]
    fn lines_and_letters_are_damaged_in_place() {
        assert_eq!(damaged(stream(), Fault::NoTerminator).0, "data: one\n\ndata: two\u{FFFD}\n\n");
        assert!(damaged(stream(), Fault::Crlf).0.starts_with("data: one\r\n\r\ndata: two"));
        let mut reply = stream();
        reply.damage(&Fault::InvalidUtf8, Dialect::OpenAi, None);
        assert_eq!(&reply.chunks[1].bytes[..], b"data: two\xff\xfe\xff\n\n");
    }

    #[test]
    fn split_keeps_the_tokens() {
        let mut reply = stream();
        reply.damage(&Fault::Split(1), Dialect::OpenAi, None);
        assert!(reply.chunks.iter().all(|chunk| chunk.bytes.len() == 1));
        assert_eq!(reply.chunks.iter().map(|chunk| chunk.tokens).sum::<u32>(), 3);
    }

    #[test]
    fn padding_has_the_size_asked_for() {
        let mut headers = HeaderMap::new();
        pad(&mut headers, 64 << 10);
        assert_eq!(headers.values().map(HeaderValue::len).sum::<usize>(), 64 << 10);
    }
}
