use bytes::Bytes;
use proptest::prelude::*;

use super::{Leftover, Splitter, SseFault};
use crate::wire::sse::Frame;

type Split = (Vec<Bytes>, Result<Leftover, SseFault>);

/// Feeds `chunks` as they are and collects all frames and how it ended.
fn split(chunks: impl IntoIterator<Item = Bytes>, limit: usize) -> Split {
    let mut splitter = Splitter::new(limit);
    let mut frames = Vec::new();
    for chunk in chunks {
        splitter.push(chunk);
        loop {
            match splitter.frame() {
                Ok(Some(frame)) => frames.push(frame.into_bytes()),
                Ok(None) => break,
                Err(fault) => return (frames, Err(fault)),
            }
        }
    }
    (frames, splitter.finish())
}

fn whole(text: &[u8]) -> Split {
    split([Bytes::copy_from_slice(text)], Splitter::DEFAULT_LIMIT)
}

/// `text` cut at `cuts`, which may be in any order and out of range.
fn cut(text: &[u8], cuts: &[usize]) -> Vec<Bytes> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(text.len())).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| Bytes::copy_from_slice(&text[pair[0]..pair[1]])).collect()
}

const STREAMS: &[&str] = &[
    "data: a\n\ndata: b\n\n",
    "data: a\r\n\r\ndata: b\r\n\r\n",
    "data: a\r\rdata: b\r\r",
    "data: a\r\r\ndata: b\n\r\ndata: c\r\n\rdata: d\n\n",
    "\u{feff}data: a\n\n: comment\n\n\n\r\n\revent: x\ndata: ü\r\n\r\n",
    "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: ping\ndata: {}\n\ndata: cut",
    "data: [DONE]\n",
    "\r",
    "",
];

#[test]
fn frames_end_at_blank_lines() {
    let (frames, left) = whole(b"data: a\nid: 1\n\n: note\n\ndata: b\r\n\r\ndata: c");
    assert_eq!(frames, ["data: a\nid: 1\n\n", ": note\n\n", "data: b\r\n\r\n"]);
    assert_eq!(left, Ok(Leftover::Partial(Frame::new("data: c".into(), false))));
}

#[test]
fn every_two_way_split_gives_the_same_frames() {
    for stream in STREAMS {
        let expected = whole(stream.as_bytes());
        for at in 0..=stream.len() {
            let chunks = cut(stream.as_bytes(), &[at]);
            assert_eq!(split(chunks, Splitter::DEFAULT_LIMIT), expected, "{stream:?} cut at {at}");
        }
    }
}

#[test]
fn bytes_that_come_one_by_one_give_the_same_frames() {
    for stream in STREAMS {
        let single = stream.bytes().map(|byte| Bytes::copy_from_slice(&[byte]));
        assert_eq!(split(single, Splitter::DEFAULT_LIMIT), whole(stream.as_bytes()), "{stream:?}");
    }
}

#[test]
fn chunks_may_be_pushed_ahead() {
    let mut splitter = Splitter::new(100);
    for chunk in ["data: a\n\nda", "ta: b\n", "\ndata: c\n\n"] {
        splitter.push(chunk.into());
    }
    let mut frames = Vec::new();
    while let Some(frame) = splitter.frame().unwrap() {
        frames.push(frame.into_bytes());
    }
    assert_eq!(frames, ["data: a\n\n", "data: b\n\n", "data: c\n\n"]);
}

#[test]
fn a_frame_within_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
    let inside = chunk.as_ptr_range();
    let mut splitter = Splitter::new(100);
    splitter.push(chunk);
    while let Some(frame) = splitter.frame().unwrap() {
        assert!(inside.contains(&frame.bytes().as_ptr()));
    }
}

#[test]
fn a_crlf_cut_in_two_belongs_to_its_frame() {
    let mut splitter = Splitter::new(100);
    splitter.push("data: a\r\n\r".into());
    assert_eq!(splitter.frame(), Ok(None));
    splitter.push("\ndata: b\r\n\r\n".into());
    assert_eq!(splitter.frame().unwrap().unwrap().bytes(), "data: a\r\n\r\n");
    assert_eq!(splitter.frame().unwrap().unwrap().bytes(), "data: b\r\n\r\n");
}

#[test]
fn streams_with_bare_crs_do_not_wait() {
    let mut splitter = Splitter::new(100);
    splitter.push("data: a\r\r".into());
    assert_eq!(splitter.frame().unwrap().unwrap().bytes(), "data: a\r\r");
}

#[test]
fn one_frame_with_bare_crs_does_not_change_the_next() {
    let (frames, _) = whole(b"data: a\r\rdata: b\r\n\r\ndata: c\n\n");
    assert_eq!(frames, ["data: a\r\r", "data: b\r\n\r\n", "data: c\n\n"]);
}

#[test]
fn a_frame_that_waits_for_its_lf_is_whole_at_the_end() {
    let (frames, left) = whole(b"data: a\n\r");
    assert!(frames.is_empty());
    assert_eq!(left, Ok(Leftover::Frame(Frame::new("data: a\n\r".into(), true))));
}

#[test]
fn a_frame_over_the_limit_is_refused_wherever_it_is_cut() {
    let text = b"data: a\n\ndata: bcd\n\n";
    for at in 0..=text.len() {
        let (frames, end) = split(cut(text, &[at]), 10);
        assert_eq!((frames.len(), end), (1, Err(SseFault::FrameTooLarge { limit: 10 })), "cut at {at}");
        let (frames, end) = split(cut(text, &[at]), 11);
        assert_eq!((frames.len(), end), (2, Ok(Leftover::Nothing)), "cut at {at}");
    }
}

#[test]
fn an_endless_line_is_refused_before_it_fills_the_memory() {
    let mut splitter = Splitter::new(1_000);
    for _ in 0..20 {
        splitter.push(Bytes::from_static(&[b'x'; 64]));
        if splitter.frame().is_err() {
            break;
        }
    }
    assert_eq!(splitter.frame(), Err(SseFault::FrameTooLarge { limit: 1_000 }), "and stays refused");
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    for text in [b"data: \xff\n\n".as_slice(), b"data: \xc3\n\n\xa4\n\n"] {
        assert_eq!(whole(text), (vec![], Err(SseFault::InvalidUtf8)));
    }
    assert_eq!(whole(b"data: \xc3").1, Err(SseFault::InvalidUtf8), "cut in mid-character");
    let (frames, _) = split(cut("data: ü\n\n".as_bytes(), &[7]), 100);
    assert_eq!(frames.len(), 1, "a character cut by chunks is whole in its frame");
}

prop_compose! {
    fn stream_text()(parts in prop::collection::vec(prop_oneof![
        Just("\n"), Just("\r"), Just("\r\n"), Just("data: "), Just("event: x"), Just(":"),
        Just("{\"a\":\"\u{20ac}\"}"), Just("[DONE]"), Just("\u{feff}"), Just(" "),
    ], 0..40)) -> String {
        parts.concat()
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames_and_loses_nothing(
        text in stream_text(),
        cuts in prop::collection::vec(0_usize..200, 0..12),
        limit in prop_oneof![Just(Splitter::DEFAULT_LIMIT), 1_usize..40],
    ) {
        let expected = split([Bytes::from(text.clone())], limit);
        prop_assert_eq!(&split(cut(text.as_bytes(), &cuts), limit), &expected);
        if let (frames, Ok(left)) = expected {
            let left = match left {
                Leftover::Nothing => Bytes::new(),
                Leftover::Frame(frame) | Leftover::Partial(frame) => frame.into_bytes(),
            };
            let together: Vec<u8> = frames.iter().chain([&left]).flatten().copied().collect();
            prop_assert_eq!(together, text.as_bytes());
        }
    }

    #[test]
    fn any_bytes_are_split_without_panic(bytes: Vec<u8>, cuts in prop::collection::vec(0_usize..200, 0..6)) {
        prop_assert_eq!(split(cut(&bytes, &cuts), 64), split([Bytes::from(bytes.clone())], 64));
    }
}
