//! Number words read one by one: "two hundred | thousand | and | five".

use crate::cache::text::number::Amount;

/// The number that is being read, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numerals {
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    /// Thousands, millions and the like that are complete.
    total: u64,
    current: Amount,
    /// Spelled out, at least in part: only then do further number words join it.
    spelled: bool,
    /// Whether a scale word came last, so that an "and" belongs to the number.
    scaled: bool,
}

impl Numerals {
    /// Whether a number is being read.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether "and five" would belong to the number.
    pub(super) fn takes_and(&self) -> bool {
        self.open.is_some_and(|open| open.scaled)
    }

    /// Opens a number written in digits. The caller has closed the one before.
    pub(super) fn digits(&mut self, amount: Amount) {
        self.open = Some(Open { total: 0, current: amount, spelled: false, scaled: false });
    }

    /// Takes a number word in; what it returns is a number that was complete without it.
    pub(super) fn cardinal(&mut self, amount: Amount) -> Option<Amount> {
        if let Some(joined) = self.joined(amount) {
            self.open = Some(joined);
            return None;
        }
        let complete = self.close();
        self.open = Some(Open { total: 0, current: amount, spelled: true, scaled: false });
        complete
    }

    /// The open number with this word added, if it continues it: "twenty | five", "two hundred | twelve".
    fn joined(&self, amount: Amount) -> Option<Open> {
        let open = self.open.filter(|open| open.spelled)?;
        let (value, current) = (amount.value()?, open.current.value()?);
        let fits = current == 0
            || (value < 10 && current % 100 >= 20 && current % 10 == 0)
            || (value < 100 && current >= 100 && current % 100 == 0);
        fits.then(|| Open { current: Amount::whole(current + value), scaled: false, ..open })
    }

    /// Multiplies the open number ("million"), or opens one.
    pub(super) fn scale(&mut self, scale: u64) {
        let open =
            self.open.unwrap_or(Open { total: 0, current: Amount::whole(1), spelled: true, scaled: false });
        let scaled = open.current.scaled(scale);
        self.open = Some(match scaled.value() {
            Some(value) if scale >= 1000 => Open {
                total: open.total.saturating_add(value),
                current: Amount::whole(0),
                spelled: true,
                scaled: true,
            },
            _ => Open { current: scaled, spelled: true, scaled: true, ..open },
        });
    }

    /// Ends the open number.
    pub(super) fn close(&mut self) -> Option<Amount> {
        let open = self.open.take()?;
        Some(match open.current.value() {
            Some(current) => Amount::whole(open.total.saturating_add(current)),
            None => open.current,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_add_up() {
        let whole = Amount::whole;
        let mut numerals = Numerals::default();
        for (step, scale) in [(2, 100), (5, 1000), (3, 100)] {
            assert_eq!(numerals.cardinal(whole(step)), None);
            numerals.scale(scale);
        }
        assert!(numerals.takes_and());
        assert_eq!(numerals.cardinal(whole(20)), None);
        assert_eq!(numerals.cardinal(whole(1)), None);
        assert_eq!(numerals.close(), Some(whole(205_321)));
        assert!(!numerals.is_open());
    }

    #[test]
    fn words_that_do_not_fit_begin_a_new_number() {
        let whole = Amount::whole;
        let mut numerals = Numerals::default();
        numerals.cardinal(whole(5));
        assert_eq!(numerals.cardinal(whole(6)), Some(whole(5)));
        numerals.digits(whole(7));
        assert_eq!(numerals.cardinal(whole(8)), Some(whole(7)));
        assert_eq!(numerals.close(), Some(whole(8)));
        assert_eq!(numerals.close(), None);
    }
}
