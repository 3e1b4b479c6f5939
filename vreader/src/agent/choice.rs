//! What a holder answers to a notice.

/// The two answers that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Run the update.
    Proceed,
    /// Not now.
    Dismiss,
}

/// The words for them; the last two are those of a manual check.
const WORDS: [(&str, Choice); 8] = [
    ("proceed", Choice::Proceed),
    ("p", Choice::Proceed),
    ("dismiss", Choice::Dismiss),
    ("d", Choice::Dismiss),
    ("ok", Choice::Proceed),
    ("o", Choice::Proceed),
    ("cancel", Choice::Dismiss),
    ("c", Choice::Dismiss),
];

impl Choice {
    /// The choice that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, choice)| *choice)
    }

    /// A line that a holder typed: a choice, and the request that it is for, if one is named.
    pub fn from_line(line: &str) -> Option<(Self, Option<String>)> {
        let mut words = line.split_whitespace();
        let choice = Self::from_word(words.next()?)?;
        let request = words.next().map(str::to_owned);
        words.next().is_none().then_some((choice, request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_words_or_letters_and_may_name_their_request() {
        for (line, expected) in [
            ("proceed", Some((Choice::Proceed, None))),
            (" P ", Some((Choice::Proceed, None))),
            ("OK", Some((Choice::Proceed, None))),
            ("dismiss", Some((Choice::Dismiss, None))),
            ("d 17", Some((Choice::Dismiss, Some("17".to_owned())))),
            ("Cancel", Some((Choice::Dismiss, None))),
            ("", None),
            ("yes", None),
            ("proceed with it", None),
        ] {
            assert_eq!(Choice::from_line(line), expected, "{line}");
        }
    }
}
