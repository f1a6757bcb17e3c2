//! One pass over a text: words, numbers, code and quotations, and where sentences begin.
//!
//! Nothing here knows English. Characters that could make one text look like another (zero-width and control
//! characters, letters of other alphabets, combining accents) are kept as they are and reported through
//! [`Scan::plain`]: a text that holds any of them is only ever equal to itself.

use super::number;
use super::word::Word;

/// What one lexeme is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Letters, perhaps with digits, folded to lower case; [`Scan::text`] has it.
    Word,
    /// A number in digits.
    Number(number::Amount),
    /// Code, a URL, an operator, a symbol or a quoted span: equal only byte for byte.
    Literal(Word),
    /// A comma, semicolon, bracket or dash.
    Break,
    /// The end of a sentence.
    Stop,
}

/// Things seen at a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Begins with, or holds, an upper-case letter.
    pub capital: bool,
    /// First word of a sentence.
    pub initial: bool,
    /// Two letters or more, all upper-case.
    pub upper: bool,
    /// Letters and digits mixed, or a single letter: a label such as "b12" or "c".
    pub label: bool,
}

/// One piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lexeme {
    /// What it is.
    pub kind: Kind,
    /// How it was written.
    pub marks: Marks,
    start: u32,
    end: u32,
}

/// A text cut into lexemes.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The lexemes in order.
    pub lexemes: Vec<Lexeme>,
    /// Whether every letter is Latin and every character visible.
    pub plain: bool,
    folded: String,
}

impl Scan {
    /// Cuts `text` into lexemes. Linear in its length, which the caller bounds.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut scanner = Scanner {
            out: Self {
                lexemes: Vec::with_capacity(text.len() / 4 + 1),
                plain: true,
                folded: String::with_capacity(text.len()),
            },
            initial: true,
            closers_gone: 0,
        };
        scanner.run(text);
        scanner.out
    }

    /// The folded text of a word; empty for any other kind.
    #[must_use]
    pub fn text(&self, lexeme: &Lexeme) -> &str {
        self.folded.get(lexeme.start as usize..lexeme.end as usize).unwrap_or_default()
    }
}

struct Scanner {
    out: Scan,
    initial: bool,
    /// Bit per kind of quote whose closing mark is known not to follow, so that each is searched for once.
    closers_gone: u8,
}

/// Opening marks, their closing marks, and the bit that each has in `closers_gone`.
const QUOTES: [(char, char, u8); 6] =
    [('`', '`', 1), ('"', '"', 2), ('“', '”', 4), ('”', '”', 4), ('«', '»', 8), ('„', '“', 16)];

impl Scanner {
    fn run(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if c.is_whitespace() {
                rest = &rest[c.len_utf8()..];
            } else if let Some(length) = self.quotation(c, rest) {
                rest = &rest[length..];
            } else {
                let end = rest
                    .char_indices()
                    .skip(1)
                    .find(|&(_, c)| c.is_whitespace() || is_quote(c))
                    .map_or(rest.len(), |(i, _)| i);
                self.chunk(&rest[..end]);
                rest = &rest[end..];
            }
        }
    }

    /// Takes a quoted or code span that opens here; how many bytes it took.
    fn quotation(&mut self, open: char, rest: &str) -> Option<usize> {
        let &(_, close, bit) = QUOTES.iter().find(|&&(mark, ..)| mark == open)?;
        let fence = if rest.starts_with("```") { "```" } else { &rest[..open.len_utf8()] };
        let inner = &rest[fence.len()..];
        let found = if self.closers_gone & bit != 0 {
            None
        } else if fence.len() == 3 && open == '`' {
            inner.find(fence).map(|end| (end, 3))
        } else {
            inner.find(close).map(|end| (end, close.len_utf8()))
        };
        let Some((end, close_length)) = found else {
            self.closers_gone |= bit;
            return Some(fence.len());
        };
        let span = inner[..end].trim();
        if !span.is_empty() {
            self.check_plain(span);
            self.push(Kind::Literal(Word::of(span)), Marks::default(), 0, 0);
            self.initial = false;
        }
        Some(fence.len() + end + close_length)
    }

    /// Classifies one run of visible characters.
    fn chunk(&mut self, chunk: &str) {
        self.check_plain(chunk);
        let opened = chunk.trim_start_matches(['(', '[', '{', '\'', '‘', '¿', '¡', '–', '—', '•', '…']);
        let mut body = opened.trim_end_matches(is_closing);
        // "f()" and "f(x)" keep their brackets.
        let unclosed = body.matches('(').count().saturating_sub(body.matches(')').count());
        let closing = opened[body.len()..].bytes().take_while(|&byte| byte == b')').count();
        body = &opened[..body.len() + unclosed.min(closing)];
        let after = &opened[body.len()..];
        if chunk.starts_with(['(', '[', '{', '–', '—']) {
            self.push(Kind::Break, Marks::default(), 0, 0);
        }
        let plain = body.strip_prefix('*').map_or(body, |inner| inner.trim_matches('*'));
        let emphasised = plain.len() < body.len() && body.ends_with('*') && !plain.is_empty();
        match body {
            "" => {}
            _ if emphasised => self.pieces(plain),
            _ if is_code(body) => {
                self.push(Kind::Literal(Word::of(body)), Marks::default(), 0, 0);
                self.initial = false;
            }
            _ => self.pieces(body),
        }
        self.trailing(after);
    }

    /// Punctuation after a word.
    fn trailing(&mut self, marks: &str) {
        if marks.contains(['.', '?', '!', '。', '？', '！', '…']) {
            self.push(Kind::Stop, Marks::default(), 0, 0);
            self.initial = true;
        } else if !marks.is_empty() && marks.chars().any(|c| !matches!(c, '\'' | '’')) {
            self.push(Kind::Break, Marks::default(), 0, 0);
            self.initial |= marks.contains(':');
        }
    }

    /// Splits a chunk that is not code into words, numbers and symbols.
    fn pieces(&mut self, body: &str) {
        let mut at = 0;
        while let Some(c) = body[at..].chars().next() {
            if let Some((piece, length)) = number::read(&body[at..], at == 0 || !ends_word(&body[..at])) {
                self.number(&piece);
                at += length;
            } else if c.is_alphanumeric() {
                at += self.word(&body[at..]);
            } else {
                self.symbol(c, &body[at..]);
                at += c.len_utf8();
            }
        }
    }

    fn number(&mut self, piece: &number::Piece<'_>) {
        self.push(Kind::Number(piece.amount), Marks::default(), 0, 0);
        // "$5" reads as "5 $".
        if let Some(currency) = piece.currency {
            self.push_folded(currency, Marks::default());
        }
        if let Some(suffix) = piece.suffix {
            self.push_folded(suffix, Marks::default());
        }
        self.initial = false;
    }

    /// Takes one word off the front of `body`; how many bytes it took.
    fn word(&mut self, body: &str) -> usize {
        let length = word_length(body);
        let raw = &body[..length];
        let stem = cut_possessive(raw);
        let start = self.out.folded.len();
        let mut marks = Marks { initial: self.initial, ..Marks::default() };
        let (mut letters, mut uppers, mut digits) = (0, 0, 0);
        let dotted = is_initialism(stem);
        for c in stem.chars() {
            letters += usize::from(c.is_alphabetic());
            uppers += usize::from(c.is_uppercase());
            digits += usize::from(c.is_numeric());
            match c {
                '’' => self.out.folded.push('\''),
                '.' if dotted => {}
                _ if c.is_ascii() => self.out.folded.push(c.to_ascii_lowercase()),
                _ => self.out.folded.extend(c.to_lowercase()),
            }
        }
        marks.capital = uppers > 0;
        marks.upper = uppers == letters && letters >= 2;
        marks.label = digits > 0 || letters == 1 || stem.ends_with(['+', '#']);
        self.push(Kind::Word, marks, start, self.out.folded.len());
        self.initial = false;
        length
    }

    /// A character between words.
    fn symbol(&mut self, c: char, rest: &str) {
        match c {
            '-' | '‐' | '‑' | '/' | '\'' | '’' | '‘' | '(' | ')' | '[' | ']' | '{' | '}' | '*' | '"' =>
                {}
            ',' | ';' | ':' | '–' | '—' => self.push(Kind::Break, Marks::default(), 0, 0),
            '.' | '?' | '!' | '…' => {
                self.push(Kind::Stop, Marks::default(), 0, 0);
                self.initial = rest[c.len_utf8()..].starts_with(char::is_uppercase);
            }
            '&' | '%' | '$' | '€' | '£' | '¥' | '₹' | '¢' => {
                self.push_folded(&rest[..c.len_utf8()], Marks::default());
            }
            '\u{fe0f}' => {}
            _ => self.push(Kind::Literal(Word::of(&rest[..c.len_utf8()])), Marks::default(), 0, 0),
        }
    }

    fn check_plain(&mut self, text: &str) {
        if !text.is_ascii() {
            self.out.plain &= text.chars().all(is_plain);
        } else {
            self.out.plain &= !text.bytes().any(|b| b.is_ascii_control() && !b.is_ascii_whitespace());
        }
    }

    fn push_folded(&mut self, text: &str, marks: Marks) {
        let start = self.out.folded.len();
        self.out.folded.extend(text.chars().flat_map(char::to_lowercase));
        self.push(Kind::Word, marks, start, self.out.folded.len());
    }

    fn push(&mut self, kind: Kind, marks: Marks, start: usize, end: usize) {
        // The caller bounds a text to a few KiB, so both ends fit.
        let (start, end) = (u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX));
        self.out.lexemes.push(Lexeme { kind, marks, start, end });
    }
}

fn is_quote(c: char) -> bool {
    matches!(c, '`' | '"' | '“' | '”' | '«' | '»' | '„')
}

fn is_closing(c: char) -> bool {
    ".,;:!?)]}'’…–—。，？！".contains(c)
}

fn ends_word(before: &str) -> bool {
    before.ends_with(|c: char| c.is_alphanumeric())
}

/// Letters of the Latin alphabet with their composed accents, ASCII, and common punctuation and symbols.
fn is_plain(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control() || c.is_ascii_whitespace();
    }
    if c.is_alphanumeric() {
        return matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '²' | '³' | '¹' | '½' | '¼' | '¾' | 'µ' | 'ª' | 'º');
    }
    !matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{180e}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..)
}

/// Whether a chunk is code, a path, an address or arithmetic rather than prose.
fn is_code(chunk: &str) -> bool {
    let mut slashes = 0;
    let (mut digit, mut operator) = (false, false);
    for byte in chunk.bytes() {
        match byte {
            b'_' | b'\\' | b'=' | b'{' | b'}' | b'<' | b'>' | b'|' | b';' | b'^' | b'~' | b'@' => {
                return true;
            }
            b'/' => slashes += 1,
            b'0'..=b'9' => digit = true,
            b'+' | b'*' => operator = true,
            _ => {}
        }
    }
    let scheme = chunk.contains("://") || chunk.starts_with("www.") || chunk.starts_with("--");
    let path = slashes >= 2 || chunk.starts_with('/') || chunk.starts_with("./");
    let arithmetic = digit && (slashes > 0 || operator && chunk.bytes().any(|b| b.is_ascii_digit()));
    let bare_operator = !chunk.bytes().any(|b| b.is_ascii_alphanumeric() || b >= 0x80)
        && chunk.contains(['+', '/', '%', '#', '*']);
    let hyphens = digit
        && chunk.bytes().filter(|&b| b == b'-').count() >= 2
        && !chunk.bytes().any(|b| b.is_ascii_alphabetic());
    scheme || path || arithmetic || bare_operator || hyphens || chunk.contains("::") || chunk.contains("()")
}

/// How many bytes of `body` make up the word at its front: letters and digits, with apostrophes and dots inside.
fn word_length(body: &str) -> usize {
    let mut chars = body.char_indices().peekable();
    let mut letters = 0;
    let mut previous = ' ';
    while let Some(&(at, c)) = chars.peek() {
        let rest = &body[at + c.len_utf8()..];
        let next_is_letter = rest.starts_with(char::is_alphanumeric);
        let inside = match c {
            '\'' | '’' => next_is_letter,
            // "node.js" and "u.s." stay whole; "thing.How" is two sentences.
            '.' => next_is_letter && (letters == 1 || !rest.starts_with(char::is_uppercase)),
            '+' => letters <= 2 && (rest.starts_with('+') || previous == '+'),
            '#' => letters == 1,
            // Scripts without spaces: every character is a word.
            _ if is_ideograph(c) => return if at == 0 { c.len_utf8() } else { at },
            _ => c.is_alphanumeric(),
        };
        if !inside {
            return at;
        }
        letters = if c == '.' { 0 } else { letters + 1 };
        previous = c;
        chars.next();
    }
    body.len()
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// "U.S", "a.m": single letters with dots between.
fn is_initialism(word: &str) -> bool {
    word.contains('.') && word.split('.').all(|part| part.chars().count() == 1)
}

/// Cuts "'s" off a noun. After pronouns and question words the ending means "is"; those stay whole.
fn cut_possessive(word: &str) -> &str {
    const VERB: [&str; 14] = [
        "what", "who", "where", "when", "how", "why", "that", "there", "here", "it", "he", "she", "let",
        "this",
    ];
    match ["'s", "’s", "'S"].iter().find_map(|ending| word.strip_suffix(ending)) {
        Some(noun) if !VERB.iter().any(|verb| noun.eq_ignore_ascii_case(verb)) => noun,
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words as they are, `#` for numbers, `'` for literals, `,` and `.` for breaks and stops.
    fn cut(text: &str) -> String {
        let scan = Scan::of(text);
        let piece = |lexeme: &Lexeme| match lexeme.kind {
            Kind::Word => scan.text(lexeme).to_owned(),
            Kind::Number(_) => "#".to_owned(),
            Kind::Literal(_) => "'".to_owned(),
            Kind::Break => ",".to_owned(),
            Kind::Stop => ".".to_owned(),
        };
        scan.lexemes.iter().map(piece).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn prose_is_cut_into_words() {
        for (text, pieces) in [
            ("Why, oh why?", "why , oh why ."),
            ("the dog's (old) bone", "the dog , old , bone"),
            ("it's well-known", "it's well known"),
            ("First.Second thing", "first . second thing"),
            ("U.S. and a.m.", "us . and am ."),
            ("C++ or C#, node.js?", "c++ or c# , node.js ."),
            ("b12 and h1n1", "b12 and h1n1"),
            ("R&D", "r & d"),
            ("*very* good", "very good"),
            ("日本", "日 本"),
        ] {
            assert_eq!(cut(text), pieces, "{text}");
        }
    }

    #[test]
    fn numbers_and_what_hangs_on_them() {
        for (text, pieces) in [
            ("5 km", "# km"),
            ("5km", "# km"),
            ("$5", "# $"),
            ("50%", "# %"),
            ("2nd", "# th"),
            ("5-10", "# #"),
            ("covid-19", "covid #"),
            ("3d", "3d"),
            ("1.5, 2", "# , #"),
        ] {
            assert_eq!(cut(text), pieces, "{text}");
        }
    }

    #[test]
    fn code_and_quotations_are_literals() {
        for (text, pieces) in [
            ("run `ls -l` now", "run ' now"),
            ("say \"a b\" and «c»", "say ' and '"),
            ("```\nfn x() {}\n``` why?", "' why ."),
            ("see https://a.example/b?c.", "see ' ."),
            ("get_user() or a::b", "' or '"),
            ("2 + 2 = 4", "# ' # ' #"),
            ("x <5", "x '"),
            ("an \"open quote", "an open quote"),
            ("👍 ok", "' ok"),
        ] {
            assert_eq!(cut(text), pieces, "{text}");
        }
    }

    #[test]
    fn sentences_begin_after_stops() {
        let scan = Scan::of("Look. What now: tell me");
        let initial: Vec<&str> =
            scan.lexemes.iter().filter(|l| l.marks.initial).map(|l| scan.text(l)).collect();
        assert_eq!(initial, ["look", "what", "tell"]);
    }
}
