//! Who the card is for: a sample person and the numbers of a card.
//!
//! Every name made here says that it is a sample, mail addresses end in `example.com` (RFC 2606), and the agency code is
//! 9999, which SP 800-87 keeps for issuers that are not federal agencies. Programs that identify cards by the FASC-N
//! know that code and take the Card UUID instead (SP 800-73-5 part 1, 3.4).

use rand_core::CryptoRng;

use super::{error::IssueError, fascn, fascn::Fascn, uuid::Uuid};

/// Longest name in bytes: Printed Information, tag `01` (SP 800-73-5 part 1, table 14).
pub const MAX_NAME: usize = 125;

const GIVEN_NAMES: [&str; 16] = [
    "Alex", "Blake", "Casey", "Dana", "Ellis", "Frances", "Gray", "Harper", "Indigo", "Jordan", "Kim", "Lee",
    "Morgan", "Noor", "Robin", "Sam",
];

/// Surnames that nobody takes for real.
const SURNAMES: [&str; 4] = ["Sample", "Specimen", "Example", "Placeholder"];

/// The holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name as printed and as common name in certificates.
    pub name: String,
    /// Mail address, in the certificates for mail.
    pub email: String,
    /// User principal name, in the PIV Authentication certificate.
    pub principal_name: String,
    /// Cardholder UUID: stays with the person when cards change.
    pub uuid: Uuid,
    /// Person identifier of the FASC-N, 10 digits.
    pub identifier: u64,
}

/// The numbers of one card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardNumbers {
    /// FASC-N.
    pub fascn: Fascn,
    /// The FASC-N's 25 bytes.
    pub fascn_bytes: [u8; fascn::LENGTH],
    /// Card UUID, called GUID in the CHUID.
    pub guid: Uuid,
    /// The last 14 bytes of the card identifier in the Card Capability Container.
    pub card_id: [u8; 14],
}

impl Person {
    /// A sample person. With `name` everything else is the same and only the name, and what follows from it, differs.
    pub fn sample(rng: &mut dyn CryptoRng, name: Option<&str>) -> Result<Self, IssueError> {
        let sample_name = format!("{} {}", pick(rng, &GIVEN_NAMES), pick(rng, &SURNAMES));
        let identifier = number(rng, 10);
        let uuid = Uuid::random(rng);
        let name = name.map_or(Ok(sample_name.as_str()), checked_name)?;
        Ok(Self {
            name: name.to_owned(),
            email: format!("{}@example.com", mailbox(name, identifier)),
            principal_name: format!("{identifier:010}@piv.example.com"),
            uuid,
            identifier,
        })
    }
}

impl Person {
    /// The same person under a number of somebody's choice, of at most 10 digits.
    pub fn renumber(&mut self, identifier: u64) {
        self.identifier = identifier;
        self.email = format!("{}@example.com", mailbox(&self.name, identifier));
        self.principal_name = format!("{identifier:010}@piv.example.com");
    }
}

impl CardNumbers {
    /// Numbers for a new card of `person`.
    pub fn sample(rng: &mut dyn CryptoRng, person: &Person) -> Result<Self, IssueError> {
        let fascn = Fascn {
            agency_code: 9999,
            system_code: 1,
            credential_number: u32::try_from(number(rng, 6)).unwrap_or_default(),
            credential_series: 0,
            individual_credential_issue: 1,
            person_identifier: person.identifier,
            organizational_category: 3,
            organizational_identifier: 0,
            association_category: 1,
        };
        let guid = Uuid::random(rng);
        let mut card_id = [0; 14];
        rng.fill_bytes(&mut card_id);
        Ok(Self { fascn_bytes: fascn.encode()?, fascn, guid, card_id })
    }
}

fn checked_name(name: &str) -> Result<&str, IssueError> {
    let name = name.trim();
    if name.is_empty() {
        return Err(IssueError::HolderEmpty);
    }
    if let Some(character) = name.chars().find(|character| character.is_control()) {
        return Err(IssueError::HolderCharacter(character));
    }
    if name.len() > MAX_NAME {
        return Err(IssueError::HolderTooLong { bytes: name.len() });
    }
    Ok(name)
}

/// The part of the mail address before the `@`: the name if it can be written there, else the person's number.
fn mailbox(name: &str, identifier: u64) -> String {
    /// RFC 5321, 4.5.3.1.1.
    const MAX_LOCAL_PART: usize = 64;
    let words: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let local = words.join(".");
    if local.is_ascii() && !local.is_empty() && local.len() <= MAX_LOCAL_PART {
        local
    } else {
        format!("{identifier:010}")
    }
}

fn pick<'a>(rng: &mut dyn CryptoRng, choices: &[&'a str]) -> &'a str {
    let index = usize::try_from(rng.next_u32()).unwrap_or_default() % choices.len().max(1);
    choices.get(index).copied().unwrap_or_default()
}

/// A number of exactly `digits` digits, the first not 0.
fn number(rng: &mut dyn CryptoRng, digits: u32) -> u64 {
    let smallest = 10_u64.pow(digits.saturating_sub(1));
    smallest + rng.next_u64() % (smallest * 9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn person(name: Option<&str>) -> Result<Person, IssueError> {
        Person::sample(&mut random::from_seed("test of people", 1), name)
    }

    #[test]
    fn people_are_obviously_samples() {
        for seed in 0..50 {
            let mut rng = random::from_seed("test of people", seed);
            let person = Person::sample(&mut rng, None).unwrap();
            let numbers = CardNumbers::sample(&mut rng, &person).unwrap();
            assert!(SURNAMES.iter().any(|surname| person.name.ends_with(surname)), "{}", person.name);
            assert!(person.email.ends_with("@example.com"), "{}", person.email);
            assert_eq!(numbers.fascn.agency_code, 9999);
            assert_eq!(person.identifier.to_string().len(), 10);
        }
    }

    #[test]
    fn a_given_name_changes_no_number() {
        let sample = person(None).unwrap();
        let named = person(Some("  Zoë O'Connor-Sample ")).unwrap();
        assert_eq!(named.name, "Zoë O'Connor-Sample");
        assert_eq!((named.uuid, named.identifier), (sample.uuid, sample.identifier));
    }

    #[test]
    fn mail_addresses_are_ascii() {
        for (name, mailbox) in [
            ("Robin Specimen", Some("robin.specimen")),
            ("Sample, Alex Q.", Some("sample.alex.q")),
            ("O'Neil Sample", Some("o.neil.sample")),
            ("Zoë Sample", None),
            ("見本 太郎", None),
            ("-", None),
            (&"a".repeat(64), Some(&*"a".repeat(64))),
            (&"a".repeat(65), None),
        ] {
            let person = person(Some(name)).unwrap();
            let number = person.identifier.to_string();
            let expected = format!("{}@example.com", mailbox.unwrap_or(&number));
            assert_eq!(person.email, expected, "{name}");
        }
    }

    #[test]
    fn names_that_cannot_be_printed_are_refused() {
        assert!(matches!(person(Some(" \t ")), Err(IssueError::HolderEmpty)));
        assert!(matches!(person(Some("a\nb")), Err(IssueError::HolderCharacter('\n'))));
        assert!(matches!(person(Some("a\0b")), Err(IssueError::HolderCharacter('\0'))));
        assert_eq!(person(Some(&"ä".repeat(62))).unwrap().name.len(), 124);
        assert!(matches!(person(Some(&"ä".repeat(63))), Err(IssueError::HolderTooLong { bytes: 126 })));
    }
}
