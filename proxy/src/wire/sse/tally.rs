//! Adds up the usage reports of a stream.

use bytes::Bytes;

use crate::wire::usage::{Counts, Usage, UsageFault};

/// The usage of a stream, report by report.
///
/// Within one message the latest report counts, since all providers report running totals; Anthropic's are
/// laid over each other field by field. Should a stream bring a second message after the first has ended,
/// both were generated and both count.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    settled: Option<Usage>,
    fault: Option<UsageFault>,
    open: Option<Report>,
    ended: bool,
}

#[derive(Clone, Debug)]
enum Report {
    /// Text that begins with the latest report, read when somebody asks: some servers send one with every
    /// token, and only the last one matters.
    Unread(Bytes),
    Read(Box<Counts>),
}

impl Tally {
    /// A message begins.
    pub(super) fn begin(&mut self) {
        if self.ended {
            self.settle();
        }
    }

    /// The current message has ended; a report may still follow.
    pub(super) const fn end(&mut self) {
        self.ended = true;
    }

    /// A running total, which replaces the one before.
    pub(super) fn replace(&mut self, report: Bytes) {
        self.open = Some(Report::Unread(report));
    }

    /// A report that leaves out what the one before has said.
    pub(super) fn overlay(&mut self, report: &[u8]) {
        match (Counts::read(report), &mut self.open) {
            (Ok(later), Some(Report::Read(counts))) => counts.overlay(later),
            (Ok(counts), _) => self.open = Some(Report::Read(Box::new(counts))),
            (Err(fault), _) => self.fault = self.fault.or(Some(fault)),
        }
    }

    /// The sum of all messages so far.
    pub(super) fn total(&self) -> (Option<Usage>, Option<UsageFault>) {
        let mut sum = self.clone();
        sum.settle();
        (sum.settled, sum.fault)
    }

    fn settle(&mut self) {
        self.ended = false;
        let usage = match self.open.take() {
            None => return,
            Some(Report::Read(counts)) => counts.usage(),
            Some(Report::Unread(report)) => Counts::read(&report).and_then(|counts| counts.usage()),
        };
        match (usage, &mut self.settled) {
            (Ok(Some(usage)), Some(settled)) => settled.add(usage),
            (Ok(usage), settled) => *settled = settled.take().or(usage),
            (Err(fault), _) => self.fault = self.fault.or(Some(fault)),
        }
    }
}
