//! What can go wrong with a provider, by name.
//!
//! A fault is written `NAME` or `NAME=ARG`; several are joined by commas. The same text works in the
//! library, in the request header `x-upstream-fault`, behind the model's name (`small@crlf`), on the
//! command line and over `POST /__script`. Underscores may stand for hyphens.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The largest event or padding a fault may ask for: 64 MiB, far above any cap worth testing.
const MAX_BYTES: u64 = 64 << 20;
/// The longest wait a fault may ask for: an hour.
const MAX_WAIT_MS: u64 = 3_600_000;

/// Where in an answer's body something happens.
///
/// Written `3` for frames (one SSE event each) and `120B` for bytes of the body. A plain answer has one
/// frame; cut "after frames", it loses its second half, or all of it at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offset {
    /// After this many whole frames.
    Frames(u32),
    /// After this many bytes of the body, wherever in a frame that falls.
    Bytes(u64),
}

/// One way in which a provider misbehaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// `status-N[=SECONDS]`: answers N (300 to 599) with an error body in the dialect, and `retry-after`.
    Status {
        /// The HTTP status.
        code: u16,
        /// The value of `retry-after`, if it is to be sent.
        retry_after_seconds: Option<u32>,
    },
    /// `refuse[=MS]`: closes every connection and stops listening for that long (default 1 s, 0 until told
    /// otherwise). The port stays taken, so that nobody else can answer on it.
    Refuse(Duration),
    /// `rst-on-accept`: a connection is reset as soon as it is accepted. As a rule it counts connections;
    /// on a request it resets the connection that carries it.
    ResetOnAccept,
    /// `hang-up`: closes the connection instead of answering.
    HangUp,
    /// `rst[=OFFSET]`: a TCP reset in the middle of the body.
    Reset(Offset),
    /// `close[=OFFSET]`: FIN in the middle of the body, without the last chunk. A stream reset in HTTP/2.
    Close(Offset),
    /// `end[=OFFSET]`: the body ends in good order but too early, without a terminator.
    End(Offset),
    /// `stall[=OFFSET]`: nothing more is sent until the client leaves.
    Stall(Offset),
    /// `slow-headers[=MS]`: the status line comes late (default 1 s).
    SlowHeaders(Duration),
    /// `slow-first-token[=MS]`: headers come in time, the first byte of the body late (default 1 s).
    SlowFirstToken(Duration),
    /// `slow[=FACTOR]`: all waits of the delay model are multiplied (default 10).
    Slow(u32),
    /// `no-terminator`: a stream lacks its last event (`[DONE]`, `message_stop`, `response.completed`).
    NoTerminator,
    /// `error-event[=FRAMES]`: status 200, then an error event instead of the rest of the stream.
    ErrorEvent(u32),
    /// `invalid-utf8`: a piece of the text holds bytes that are not UTF-8.
    InvalidUtf8,
    /// `oversize-event[=BYTES]`: one event carries that much text (default 1 MiB).
    OversizeEvent(u32),
    /// `short-body[=BYTES]`: `content-length` promises that many bytes more than come (default 16).
    ShortBody(u32),
    /// `empty`: an answer without content.
    Empty,
    /// `refusal`: the text declines politely, everything else looks normal.
    Refusal,
    /// `refusal-field`: the dialect's own way to decline (`refusal`, `stop_reason: "refusal"`).
    RefusalField,
    /// `length`: the answer is cut at half, for the stated reason `length` / `max_tokens`.
    Length,
    /// `invalid-json`: where JSON was asked for, it breaks off.
    InvalidJson,
    /// `invalid-arguments`: a tool is called with arguments that do not fit its schema: broken JSON where
    /// the wire carries text, an unexpected object where it carries an object.
    InvalidArguments,
    /// `garbage`: status 200 and a page of HTML.
    Garbage,
    /// `redirect[=URL]`: 302 to elsewhere (default: the discard port of loopback).
    Redirect(String),
    /// `crlf`: SSE lines end with CRLF.
    Crlf,
    /// `split[=BYTES]`: the body comes in chunks of that many bytes (default 1), each flushed.
    Split(u32),
    /// `no-usage`: token counts are missing.
    NoUsage,
    /// `negative-usage`: token counts are below zero.
    NegativeUsage,
    /// `huge-usage`: token counts are the largest 64-bit integer.
    HugeUsage,
    /// `rate-limit-headers[=REMAINING]`: the provider's rate-limit headers with that much left (default 0).
    RateLimitHeaders(u32),
    /// `huge-headers[=BYTES]`: that much padding in the response headers (default 64 KiB).
    HugeHeaders(u32),
}

/// Why a text is not a fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseFaultError {
    /// No fault has this name.
    #[error("unknown fault `{0}`")]
    Unknown(String),
    /// The fault exists, its argument does not fit.
    #[error("fault `{name}`: `{argument}` is not {expected}")]
    Argument {
        /// The fault's name as written.
        name: String,
        /// The argument as written.
        argument: String,
        /// What would have fitted.
        expected: &'static str,
    },
}

impl Fault {
    /// Every name that [`FromStr`] knows, each valid without an argument. `status-503` stands for all of
    /// `status-300` to `status-599`.
    pub const NAMES: [&str; 31] = [
        "status-503",
        "refuse",
        "rst-on-accept",
        "hang-up",
        "rst",
        "close",
        "end",
        "stall",
        "slow-headers",
        "slow-first-token",
        "slow",
        "no-terminator",
        "error-event",
        "invalid-utf8",
        "oversize-event",
        "short-body",
        "empty",
        "refusal",
        "refusal-field",
        "length",
        "invalid-json",
        "invalid-arguments",
        "garbage",
        "redirect",
        "crlf",
        "split",
        "no-usage",
        "negative-usage",
        "huge-usage",
        "rate-limit-headers",
        "huge-headers",
    ];

    /// Reads a comma-separated list of faults; an empty text is an empty list.
    ///
    /// # Errors
    ///
    /// The first entry that is not a fault.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, ParseFaultError> {
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::parse).collect()
    }

    /// The name without an argument.
    fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Refuse(_) => "refuse",
            Self::ResetOnAccept => "rst-on-accept",
            Self::HangUp => "hang-up",
            Self::Reset(_) => "rst",
            Self::Close(_) => "close",
            Self::End(_) => "end",
            Self::Stall(_) => "stall",
            Self::SlowHeaders(_) => "slow-headers",
            Self::SlowFirstToken(_) => "slow-first-token",
            Self::Slow(_) => "slow",
            Self::NoTerminator => "no-terminator",
            Self::ErrorEvent(_) => "error-event",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::OversizeEvent(_) => "oversize-event",
            Self::ShortBody(_) => "short-body",
            Self::Empty => "empty",
            Self::Refusal => "refusal",
            Self::RefusalField => "refusal-field",
            Self::Length => "length",
            Self::InvalidJson => "invalid-json",
            Self::InvalidArguments => "invalid-arguments",
            Self::Garbage => "garbage",
            Self::Redirect(_) => "redirect",
            Self::Crlf => "crlf",
            Self::Split(_) => "split",
            Self::NoUsage => "no-usage",
            Self::NegativeUsage => "negative-usage",
            Self::HugeUsage => "huge-usage",
            Self::RateLimitHeaders(_) => "rate-limit-headers",
            Self::HugeHeaders(_) => "huge-headers",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Status { code, retry_after_seconds: None } => write!(f, "-{code}"),
            Self::Status { code, retry_after_seconds: Some(seconds) } => write!(f, "-{code}={seconds}"),
            Self::Refuse(wait) | Self::SlowHeaders(wait) | Self::SlowFirstToken(wait) => {
                write!(f, "={}", wait.as_millis())
            }
            Self::Reset(at) | Self::Close(at) | Self::End(at) | Self::Stall(at) => write!(f, "={at}"),
            Self::Slow(n)
            | Self::ErrorEvent(n)
            | Self::OversizeEvent(n)
            | Self::ShortBody(n)
            | Self::Split(n)
            | Self::RateLimitHeaders(n)
            | Self::HugeHeaders(n) => write!(f, "={n}"),
            Self::Redirect(to) => write!(f, "={to}"),
            _ => Ok(()),
        }
    }
}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, argument) = match text.split_once('=') {
            Some((name, argument)) => (name.trim(), Some(argument.trim())),
            None => (text.trim(), None),
        };
        let canonical = name.replace('_', "-");
        let argument = Argument { name, text: argument };
        if let Some(code) = canonical.strip_prefix("status-") {
            return argument.status(code);
        }
        argument.fault(&canonical)
    }
}

/// A fault's argument on its way to a value.
struct Argument<'a> {
    name: &'a str,
    text: Option<&'a str>,
}

impl Argument<'_> {
    fn fault(&self, name: &str) -> Result<Fault, ParseFaultError> {
        Ok(match name {
            "refuse" => Fault::Refuse(self.wait()?),
            "rst" => Fault::Reset(self.offset()?),
            "close" => Fault::Close(self.offset()?),
            "end" => Fault::End(self.offset()?),
            "stall" => Fault::Stall(self.offset()?),
            "slow-headers" => Fault::SlowHeaders(self.wait()?),
            "slow-first-token" => Fault::SlowFirstToken(self.wait()?),
            "slow" => Fault::Slow(self.number(10, 1_000, "a factor of at most 1000")?),
            "error-event" => Fault::ErrorEvent(self.number(2, u32::MAX.into(), "a number of frames")?),
            "oversize-event" => Fault::OversizeEvent(self.bytes(1 << 20)?),
            "short-body" => Fault::ShortBody(self.bytes(16)?),
            "split" => Fault::Split(self.bytes(1)?.max(1)),
            "redirect" => Fault::Redirect(self.text.unwrap_or("http://127.0.0.1:9/elsewhere").to_owned()),
            "rate-limit-headers" => {
                Fault::RateLimitHeaders(self.number(0, u32::MAX.into(), "a number of requests")?)
            }
            "huge-headers" => Fault::HugeHeaders(self.bytes(64 << 10)?),
            _ => return self.bare(name),
        })
    }

    /// The faults that take no argument.
    fn bare(&self, name: &str) -> Result<Fault, ParseFaultError> {
        let fault = match name {
            "rst-on-accept" => Fault::ResetOnAccept,
            "hang-up" => Fault::HangUp,
            "no-terminator" => Fault::NoTerminator,
            "invalid-utf8" => Fault::InvalidUtf8,
            "empty" => Fault::Empty,
            "refusal" => Fault::Refusal,
            "refusal-field" => Fault::RefusalField,
            "length" => Fault::Length,
            "invalid-json" => Fault::InvalidJson,
            "invalid-arguments" => Fault::InvalidArguments,
            "garbage" => Fault::Garbage,
            "crlf" => Fault::Crlf,
            "no-usage" => Fault::NoUsage,
            "negative-usage" => Fault::NegativeUsage,
            "huge-usage" => Fault::HugeUsage,
            _ => return Err(ParseFaultError::Unknown(self.name.to_owned())),
        };
        match self.text {
            None => Ok(fault),
            Some(_) => Err(self.unfit("allowed here: it takes no argument")),
        }
    }

    fn status(&self, code: &str) -> Result<Fault, ParseFaultError> {
        let code = code.parse::<u16>().ok().filter(|code| (300..600).contains(code));
        let Some(code) = code else { return Err(ParseFaultError::Unknown(self.name.to_owned())) };
        let retry_after_seconds = match self.text {
            Some(_) => Some(self.number(0, u32::MAX.into(), "a number of seconds")?),
            None => None,
        };
        Ok(Fault::Status { code, retry_after_seconds })
    }

    /// Two frames by default: past what every dialect sends before the first text.
    fn offset(&self) -> Result<Offset, ParseFaultError> {
        let expected = "a number of frames (`3`) or bytes (`120B`)";
        match self.text {
            None => Ok(Offset::Frames(2)),
            Some(text) => Offset::parse(text).ok_or_else(|| self.unfit(expected)),
        }
    }

    fn wait(&self) -> Result<Duration, ParseFaultError> {
        let ms: u32 = self.number(1_000, MAX_WAIT_MS, "milliseconds, at most an hour")?;
        Ok(Duration::from_millis(ms.into()))
    }

    fn bytes(&self, default: u32) -> Result<u32, ParseFaultError> {
        self.number(default, MAX_BYTES, "a number of bytes, at most 64 MiB")
    }

    fn number(&self, default: u32, most: u64, expected: &'static str) -> Result<u32, ParseFaultError> {
        match self.text {
            None => Ok(default),
            Some(text) => text
                .parse::<u32>()
                .ok()
                .filter(|&number| u64::from(number) <= most)
                .ok_or_else(|| self.unfit(expected)),
        }
    }

    fn unfit(&self, expected: &'static str) -> ParseFaultError {
        let argument = self.text.unwrap_or_default().to_owned();
        ParseFaultError::Argument { name: self.name.to_owned(), argument, expected }
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames(frames) => write!(f, "{frames}"),
            Self::Bytes(bytes) => write!(f, "{bytes}B"),
        }
    }
}

impl Offset {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix(['B', 'b']) {
            Some(bytes) => bytes.parse().map(Self::Bytes).ok(),
            None => text.parse().map(Self::Frames).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_and_survives_a_round_trip() {
        for name in Fault::NAMES {
            let fault: Fault = name.parse().unwrap();
            assert_eq!(fault.to_string().parse(), Ok(fault.clone()), "{name}");
            assert_eq!(name.replace('-', "_").parse(), Ok(fault), "{name}");
        }
    }

    #[test]
    fn every_name_is_explained() {
        let readme = include_str!("../README.md").replace("status-N", "status-503");
        for name in Fault::NAMES {
            assert!(readme.contains(&format!("| `{name}")), "{name} is missing in README.md");
        }
    }

    #[test]
    fn arguments_have_units() {
        let reset = |text: &str| text.parse::<Fault>();
        assert_eq!(reset("rst=3"), Ok(Fault::Reset(Offset::Frames(3))));
        assert_eq!(reset("rst=120B"), Ok(Fault::Reset(Offset::Bytes(120))));
        assert_eq!("status-429=20".parse(), Ok(Fault::Status { code: 429, retry_after_seconds: Some(20) }));
        assert_eq!("refuse=250".parse(), Ok(Fault::Refuse(Duration::from_millis(250))));
    }

    #[test]
    fn nonsense_is_named() {
        assert_eq!("explode".parse::<Fault>(), Err(ParseFaultError::Unknown("explode".into())));
        for wrong in ["rst=x", "slow=0.5", "crlf=1", "oversize-event=99999999999", "refuse=9999999"] {
            assert!(matches!(wrong.parse::<Fault>(), Err(ParseFaultError::Argument { .. })), "{wrong}");
        }
        for wrong in ["status-200", "status-", "status-600", ""] {
            assert!(matches!(wrong.parse::<Fault>(), Err(ParseFaultError::Unknown(_))), "{wrong}");
        }
    }

    #[test]
    fn a_list_is_split_at_commas() {
        assert_eq!(Fault::parse_list("crlf, split=2"), Ok(vec![Fault::Crlf, Fault::Split(2)]));
        assert_eq!(Fault::parse_list(""), Ok(vec![]));
    }
}
