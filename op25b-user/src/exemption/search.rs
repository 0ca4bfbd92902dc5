//! Compares the texts of exemptions as people write them: a part of a text finds it, and the forms of a character, letters in
//! capitals and the number of spaces do not matter.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash, Hasher as _},
};

use unicode_normalization::{UnicodeNormalization as _, is_nfkc};

/// The legal forms of companies that are written as one character, in brackets or in full.
const LEGAL_FORMS: [(&str, &str); 5] = [
    ("株式会社", "(株)"),
    ("有限会社", "(有)"),
    ("合同会社", "(同)"),
    ("合資会社", "(資)"),
    ("合名会社", "(名)"),
];

/// A text that is searched for in others.
///
/// The two are compared in Unicode's form NFKC, in which ＫＫ is KK, ｻｸﾗ is サクラ, and ㈱ and （株） are (株), and with one space for any
/// number of them. Letters in capitals are the same as others, unless the pattern has capitals itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    ignores_case: bool,
}

impl Pattern {
    /// A pattern; `None` if there is nothing in it but white space.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = folded(text).into_owned();
        let ignores_case = !text.chars().any(char::is_uppercase);
        (!text.is_empty()).then_some(Self { text, ignores_case })
    }

    /// Whether it is a part of a text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text = folded(text);
        if self.ignores_case {
            lower(&text).contains(&self.text)
        } else {
            text.contains(&self.text)
        }
    }
}

/// Whether two customers have the same name, but for the forms of its characters, capitals and spaces.
#[must_use]
pub fn is_same_customer(one: &str, other: &str) -> bool {
    one == other || lower(&folded(one)) == lower(&folded(other))
}

/// What is left of a name without that in which its spellings differ: the forms of characters, capitals, spaces, punctuation, and
/// how a legal form is written.
#[must_use]
pub fn key(name: &str) -> String {
    words(name).concat()
}

/// Whether two names differ in a letter or two of one long word, and in no digit.
#[must_use]
pub fn are_near(one: &str, other: &str) -> bool {
    let (one, other) = (words(one), words(other));
    if one.len() != other.len() {
        return false;
    }
    let mut differing = one.iter().zip(&other).filter(|(one, other)| one != other);
    match (differing.next(), differing.next()) {
        (Some((one, other)), None) => {
            digits(one).eq(digits(other))
                && strsim::damerau_levenshtein(one, other) <= slips(one).min(slips(other))
        }
        _ => false,
    }
}

/// What an index of names finds similar ones by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Similar names have it in common.
    pub number: u64,
    /// Those of the word in which similar names may differ.
    pub letters: Letters,
}

/// The letters of a word, as a set of bits: some share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Letters(u64);

impl Letters {
    fn of(word: &str) -> Self {
        Self(
            word.chars()
                .fold(0, |all, letter| all | 1 << (u32::from(letter) % u64::BITS)),
        )
    }

    /// Whether words with these letters may differ in a letter or two: each takes one away and adds one at most.
    #[must_use]
    pub fn may_be_near(self, other: Self) -> bool {
        (self.0 ^ other.0).count_ones() as usize <= 2 * MOST_SLIPS
    }
}

/// The marks of a name. Two names have the number of the first in common if they have the same [`key`], and that of another one if they
/// [`are_near`]; then its letters may be near, too. Other names of several words have hardly ever a number in common.
pub fn marks(name: &str) -> impl Iterator<Item = Mark> {
    let words = words(name);
    let all = words.concat();
    let key = Mark {
        number: number((None::<usize>, &all)),
        letters: Letters::of(&all),
    };
    let of_words: Vec<Mark> = (0..words.len())
        .filter(|place| slips(&words[*place]) > 0)
        .map(|place| {
            let digits: String = digits(&words[place]).collect();
            Mark {
                number: number((Some(place), &words[..place], digits, &words[place + 1..])),
                letters: Letters::of(&words[place]),
            }
        })
        .collect();
    std::iter::once(key).chain(of_words)
}

fn number(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// The words of a name without punctuation, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut name = lower(&folded(name)).into_owned();
    for (full, short) in LEGAL_FORMS {
        if name.contains(full) {
            name = name.replace(full, short);
        }
    }
    let word = |word: &str| word.chars().filter(|letter| letter.is_alphanumeric()).collect();
    name.split(' ')
        .map(word)
        .filter(|word: &String| !word.is_empty())
        .collect()
}

/// The most letters that may be wrong in a word.
const MOST_SLIPS: usize = 2;

/// How many letters may be wrong in a word. Few letters of another script than Latin are a word.
fn slips(word: &str) -> usize {
    match (word.chars().count(), word.is_ascii()) {
        (10.., true) => MOST_SLIPS,
        (6..=9, true) | (8.., false) => 1,
        _ => 0,
    }
}

fn digits(word: &str) -> impl Iterator<Item = char> {
    word.chars().filter(|letter| letter.is_numeric())
}

/// A text in form NFKC, with one space for any white space.
fn folded(text: &str) -> Cow<'_, str> {
    let text = if text.is_ascii() || is_nfkc(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfkc().collect())
    };
    let is_plain = text == text.trim() && !text.contains("  ") && !text.contains(is_other_space);
    if is_plain {
        return text;
    }
    let words: Vec<_> = text.split_whitespace().collect();
    Cow::Owned(words.join(" "))
}

fn is_other_space(letter: char) -> bool {
    letter != ' ' && letter.is_whitespace()
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) {
        Cow::Owned(text.to_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(text)
    }

    /// Whether an index of names with the one compares it with the other.
    fn are_compared(one: &str, other: &str) -> bool {
        marks(one).any(|mark| {
            marks(other)
                .any(|of_other| mark.number == of_other.number && mark.letters.may_be_near(of_other.letters))
        })
    }

    #[test]
    fn a_part_in_small_letters_finds_every_form_of_a_name() {
        for (pattern, text) in [
            ("example", "Example KK"),
            ("example kk", "ＥＸＡＭＰＬＥ　ＫＫ"),
            ("ｅｘａｍｐｌｅ", "Example KK"),
            ("example  kk", "Example\u{a0}KK"),
            (" kk ", "Example KK"),
            ("(株)さくら", "㈱さくら"),
            ("(株)さくら", "（株）さくら"),
            ("㈱", "さくら(株)"),
            ("サクラ", "ｻｸﾗﾒｰﾙ"),
            ("söhne", "SÖHNE GmbH"),
            ("so\u{308}hne", "Söhne"),
            ("ops-1042", "OPS-10421"),
        ] {
            assert!(finds(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("株式会社", "㈱さくら"),
            ("examplekk", "Example KK"),
            ("kk example", "Example KK"),
        ] {
            assert!(!finds(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_capital_in_the_pattern_makes_capitals_count() {
        for (pattern, text, is_found) in [
            ("Example", "Example KK", true),
            ("Example", "EXAMPLE KK", false),
            ("Ｅxample", "Example KK", true),
            ("KK", "example kk", false),
            ("Ö", "söhne", false),
        ] {
            assert_eq!(finds(pattern, text), is_found, "{pattern} {text}");
        }
    }

    #[test]
    fn white_space_alone_is_no_pattern() {
        for text in ["", " ", "\u{3000}\t"] {
            assert_eq!(Pattern::new(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_is_the_same_in_other_forms_and_alike_with_other_signs() {
        for other in [
            "example kk",
            "ＥＸＡＭＰＬＥ ＫＫ",
            "Example\u{3000}KK",
            " Example  KK ",
        ] {
            assert!(is_same_customer("Example KK", other), "{other}");
        }
        for (one, other) in [
            ("Example KK", "Example K.K."),
            ("Example KK", "ExampleKK"),
            ("株式会社さくら", "㈱ さくら"),
            ("(有)さくら・メール", "有限会社さくらメール"),
        ] {
            assert!(!is_same_customer(one, other), "{one} {other}");
            assert_eq!(key(one), key(other), "{one} {other}");
            assert!(are_compared(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("Example KK", "Exemple KK"),
            ("Beispielwerk GmbH", "Beispeilwrk GmbH"),
        ] {
            assert_ne!(key(one), key(other), "{one} {other}");
            assert!(are_near(one, other), "{one} {other}");
            assert!(are_compared(one, other), "{one} {other}");
        }
    }

    #[test]
    fn names_that_differ_in_a_number_or_a_short_word_are_of_two_customers() {
        for (one, other) in [
            ("Customer 1", "Customer 2"),
            ("Customer A", "Customer B"),
            ("Branch1042", "Branch1043"),
            ("Beispiel GmbH", "Beispiel AG"),
            ("第一銀行", "第二銀行"),
            ("Example KK", "Example KK Osaka"),
            ("First", "Third"),
        ] {
            assert_ne!(key(one), key(other), "{one} {other}");
            assert!(!are_near(one, other), "{one} {other}");
        }
        assert!(!are_compared("Branch1042", "Branch1043"));
        assert!(!are_compared("Beispiel GmbH", "Beispiel AG"));
    }
}
