//! The holder of a Common Access Card: a name in parts and a number, and everything that follows from them.

use crate::issue::{
    IssueError,
    person::{CardNumbers, Person},
};

/// Federal government.
const ORGANIZATIONAL_CATEGORY: u8 = 1;
/// Department of Defense, other than the services.
const ORGANIZATIONAL_IDENTIFIER: u16 = 9700;
/// Civil servant.
const ASSOCIATION_CATEGORY: u8 = 2;

/// The middle initial of sample people.
const SAMPLE_INITIAL: &str = "Q";

/// Name and EDIPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::issue) struct Holder {
    pub(super) first: String,
    pub(super) middle: String,
    pub(super) last: String,
    /// The DoD identification number, 10 digits; the person identifier of the FASC-N.
    pub(super) edipi: u64,
}

impl Holder {
    /// The holder that this person is. The last word of the name is the last name; a sample person has a middle initial.
    pub(in crate::issue) fn new(person: &Person, name_is_given: bool) -> Result<Self, IssueError> {
        if !person.name.is_ascii() {
            return Err(IssueError::HolderNotAscii);
        }
        let upper = person.name.to_ascii_uppercase();
        let mut words = upper.split_ascii_whitespace();
        let (Some(first), Some(last)) = (words.next(), words.next_back()) else {
            return Err(IssueError::HolderOneWord);
        };
        let middle = words.collect::<Vec<_>>().join(" ");
        let middle = if middle.is_empty() && !name_is_given { SAMPLE_INITIAL.to_owned() } else { middle };
        Ok(Self { first: first.to_owned(), middle, last: last.to_owned(), edipi: person.identifier })
    }

    /// LAST.FIRST.MI.EDIPI.
    pub(super) fn common_name(&self) -> String {
        let edipi = self.edipi();
        let initial = self.middle.get(..1).unwrap_or_default();
        let parts = [&*self.last, &*self.first, initial, &*edipi];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
    }

    pub(super) fn edipi(&self) -> String {
        format!("{:010}", self.edipi)
    }

    /// What the person signs in with by the signature certificate.
    pub(super) fn principal_name(&self) -> String {
        format!("{}@mil", self.edipi())
    }

    /// The person's name and principal name in the forms of a Common Access Card.
    pub(in crate::issue) fn rename(&self, person: &mut Person) {
        person.name = self.common_name();
        person.principal_name = format!(
            "{}{ORGANIZATIONAL_CATEGORY}{ORGANIZATIONAL_IDENTIFIER:04}{ASSOCIATION_CATEGORY}@mil",
            self.edipi()
        );
    }

    /// The card's FASC-N says the same of the person.
    pub(in crate::issue) fn number(&self, numbers: &mut CardNumbers) -> Result<(), IssueError> {
        numbers.fascn.person_identifier = self.edipi;
        numbers.fascn.organizational_category = ORGANIZATIONAL_CATEGORY;
        numbers.fascn.organizational_identifier = ORGANIZATIONAL_IDENTIFIER;
        numbers.fascn.association_category = ASSOCIATION_CATEGORY;
        numbers.fascn_bytes = numbers.fascn.encode()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn holder(name: Option<&str>) -> Result<Holder, IssueError> {
        let person = Person::sample(&mut random::from_seed("test of holders", 1), name).unwrap();
        Holder::new(&person, name.is_some())
    }

    #[test]
    fn names_are_last_first_initial_number() {
        for (name, start) in [
            ("Dana Sample", "SAMPLE.DANA."),
            ("Dana Quincy Sample", "SAMPLE.DANA.Q."),
            ("dana q. x. O'Sample-Specimen", "O'SAMPLE-SPECIMEN.DANA.Q."),
        ] {
            let holder = holder(Some(name)).unwrap();
            assert_eq!(holder.common_name(), format!("{start}{}", holder.edipi()), "{name}");
            assert_eq!(holder.edipi().len(), 10);
        }
        assert!(holder(None).unwrap().common_name().contains(".Q."));
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        assert!(matches!(holder(Some("Sample")), Err(IssueError::HolderOneWord)));
        assert!(matches!(holder(Some("Zoë Sample")), Err(IssueError::HolderNotAscii)));
    }
}
