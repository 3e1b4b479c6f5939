//! The description of a stock: its text, and the [`Profile`] that it means.

use apdu::Status;
use card_sim::{
    key::AsymmetricAlgorithm,
    profile::{
        Antenna, Choices, EmptyContainer, MalformedReference, Profile, ReferenceFormat, Reselection,
        SelectAnswer,
        yubico::{Version, Yubico},
    },
};
use serde::{Deserialize, Serialize};

use super::{StockError, registry};
use crate::{issue::algorithm_name, reader::atr};

/// In what a stock differs from a built-in one. What is not there is as with that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Its name: 1 to 32 of a-z, 0-9 and -.
    pub name: String,
    /// One line for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The built-in stock that it is like.
    pub like: String,
    /// Answer to reset through the contacts, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub atr: Option<String>,
    /// Answer to reset through the antenna, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contactless_atr: Option<String>,
    /// Application label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The longest command and answer that SELECT states, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated_lengths: Option<[u16; 2]>,
    /// Algorithms of the keys that the card makes: `RSA-2048`, `P-256` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<Vec<String>>,
    /// Tries of a fresh PIN or PUK, 1 to 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_tries: Option<u8>,
    /// Tries that are kept for the contacts, 0 to 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries_kept_for_contact: Option<u8>,
    /// A container without contents: `zero-length` or `not-found`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_container: Option<String>,
    /// A PIN of a wrong format: `refused` or `spends-try`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed_reference: Option<String>,
    /// Status word of VERIFY without data when no try is left, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_status: Option<String>,
    /// Status word of GENERAL AUTHENTICATE with a key that is not there, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_slot: Option<String>,
    /// Status word of GENERAL AUTHENTICATE with another algorithm than the key's, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_algorithm: Option<String>,
    /// Status word for a wrong answer to a card management challenge, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong_administrator_proof: Option<String>,
    /// What SELECT answers: `full` or `short`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select_answer: Option<String>,
    /// What selecting the selected application does to a login: `keeps` or `clears`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reselection: Option<String>,
    /// What a PIN is made of: `digits` or `any-bytes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_format: Option<String>,
    /// What may be done through the antenna: `restricted` or `like-contacts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub antenna: Option<String>,
    /// Whether the card manager may set a new PIN without the PUK, by RESET RETRY COUNTER with P1 `02`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrator_unblock: Option<bool>,
    /// Whether the card manager may import keys for key management.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_import: Option<bool>,
    /// Firmware version of a YubiKey, as `5.4.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
}

impl Description {
    /// Reads a description in TOML.
    ///
    /// # Errors
    /// A field that stocks do not have, or a missing one. What the fields say is checked by [`profile`](Self::profile).
    pub fn parse(text: &str) -> Result<Self, StockError> {
        toml::from_str(text).map_err(|error| StockError::Toml(error.to_string()))
    }

    /// The same in TOML.
    #[expect(clippy::missing_panics_doc, reason = "strings, numbers and a list of strings are all there is")]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("TOML writes strings and numbers")
    }

    /// The stock. The same description gives the same one.
    pub fn profile(&self) -> Result<&'static Profile, StockError> {
        let like = Profile::find(&self.like).ok_or_else(|| StockError::Like(self.like.clone()))?;
        registry::profile(self, || self.make(like))
    }

    fn make(&self, like: &'static Profile) -> Result<Profile, StockError> {
        let label = self.label.as_deref().map_or(like.label, leak);
        if label.len() > LONGEST_LABEL {
            return Err(refused("label", label, &format_args!("{LONGEST_LABEL} bytes at most")));
        }
        Ok(Profile {
            name: leak(self.checked_name()?),
            description: self.description.as_deref().map_or(like.description, leak),
            atr: answer_to_reset("atr", self.atr.as_deref(), like.atr)?,
            contactless_atr: answer_to_reset(
                "contactless_atr",
                self.contactless_atr.as_deref(),
                like.contactless_atr,
            )?,
            label,
            stated_lengths: self.stated_lengths.or(like.stated_lengths),
            algorithms: self.algorithms(like)?,
            default_tries: tries("default_tries", self.default_tries, 1, like.default_tries)?,
            tries_kept_for_contact: tries(
                "tries_kept_for_contact",
                self.tries_kept_for_contact,
                0,
                like.tries_kept_for_contact,
            )?,
            choices: self.choices(&like.choices)?,
            yubico: self.yubico(like)?,
            cac: like.cac,
        })
    }

    fn checked_name(&self) -> Result<&str, StockError> {
        let of_names = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !(1..=32).contains(&self.name.len()) || !self.name.bytes().all(of_names) {
            return Err(StockError::Name(self.name.clone()));
        }
        match Profile::find(&self.name) {
            Some(_) => Err(StockError::NameTaken(self.name.clone())),
            None => Ok(&self.name),
        }
    }

    fn algorithms(&self, like: &Profile) -> Result<&'static [AsymmetricAlgorithm], StockError> {
        let Some(names) = &self.algorithms else { return Ok(like.algorithms) };
        let all: Vec<_> =
            AsymmetricAlgorithm::ALL.into_iter().map(|known| (algorithm_name(known), known)).collect();
        let found: Result<Vec<_>, _> = names
            .iter()
            .map(|name| choose("algorithms", Some(name), &all, AsymmetricAlgorithm::EccP256))
            .collect();
        Ok(Vec::leak(found?))
    }

    fn choices(&self, like: &Choices) -> Result<Choices, StockError> {
        Ok(Choices {
            empty_container: choose(
                "empty_container",
                self.empty_container.as_deref(),
                &EMPTY_CONTAINER,
                like.empty_container,
            )?,
            malformed_reference: choose(
                "malformed_reference",
                self.malformed_reference.as_deref(),
                &[("refused", MalformedReference::Refused), ("spends-try", MalformedReference::SpendsTry)],
                like.malformed_reference,
            )?,
            blocked_status: status("blocked_status", self.blocked_status.as_deref(), like.blocked_status)?,
            empty_slot: status("empty_slot", self.empty_slot.as_deref(), like.empty_slot)?,
            other_algorithm: status(
                "other_algorithm",
                self.other_algorithm.as_deref(),
                like.other_algorithm,
            )?,
            wrong_administrator_proof: status(
                "wrong_administrator_proof",
                self.wrong_administrator_proof.as_deref(),
                like.wrong_administrator_proof,
            )?,
            select_answer: choose(
                "select_answer",
                self.select_answer.as_deref(),
                &SELECT_ANSWER,
                like.select_answer,
            )?,
            reselection: choose(
                "reselection",
                self.reselection.as_deref(),
                &[("keeps", Reselection::Keeps), ("clears", Reselection::Clears)],
                like.reselection,
            )?,
            reference_format: choose(
                "reference_format",
                self.reference_format.as_deref(),
                &[("digits", ReferenceFormat::Digits), ("any-bytes", ReferenceFormat::AnyBytes)],
                like.reference_format,
            )?,
            antenna: choose(
                "antenna",
                self.antenna.as_deref(),
                &[("restricted", Antenna::Restricted), ("like-contacts", Antenna::LikeContacts)],
                like.antenna,
            )?,
            administrator_unblock: self.administrator_unblock.unwrap_or(like.administrator_unblock),
            key_import: self.key_import.unwrap_or(like.key_import),
        })
    }

    fn yubico(&self, like: &Profile) -> Result<Option<&'static Yubico>, StockError> {
        let (text, yubico) = match (&self.firmware, like.yubico) {
            (None, yubico) => return Ok(yubico),
            (Some(_), None) => return Err(StockError::NoFirmware),
            (Some(text), Some(yubico)) => (text, yubico),
        };
        let numbers: Option<Vec<u8>> = text.split('.').map(|number| number.parse().ok()).collect();
        let Some(&[major, minor, patch]) = numbers.as_deref() else {
            return Err(refused("firmware", text, "three numbers, as 5.4.3"));
        };
        let version = Version::new(major, minor, patch);
        // A NEO's PIV application has a version of its own.
        let firmware = if yubico.firmware == yubico.version { version } else { yubico.firmware };
        Ok(Some(Box::leak(Box::new(Yubico { version, firmware, ..yubico.clone() }))))
    }
}

/// Longest application label (SP 800-73-5 part 2, table 3, as the ISO standard limits it).
const LONGEST_LABEL: usize = 16;

/// How an empty container reads, in words.
pub(crate) const EMPTY_CONTAINER: [(&str, EmptyContainer); 2] =
    [("zero-length", EmptyContainer::ZeroLength), ("not-found", EmptyContainer::NotFound)];

/// What SELECT answers, in words.
pub(crate) const SELECT_ANSWER: [(&str, SelectAnswer); 2] =
    [("full", SelectAnswer::Full), ("short", SelectAnswer::Short)];

/// A stock lives as long as the process, and so does what it says.
fn leak(text: &str) -> &'static str {
    Box::leak(text.into())
}

fn refused(
    field: &'static str,
    value: &(impl ToString + ?Sized),
    choices: &(impl ToString + ?Sized),
) -> StockError {
    StockError::Value { field, value: value.to_string(), choices: choices.to_string() }
}

/// The choice of this name; the usual one if nothing is said.
fn choose<T: Copy>(
    field: &'static str,
    text: Option<&str>,
    choices: &[(&str, T)],
    usual: T,
) -> Result<T, StockError> {
    let Some(text) = text else { return Ok(usual) };
    let found = choices.iter().find(|(name, _)| *name == text);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        refused(field, text, &names.join(", "))
    })
}

/// The name of a choice.
pub(crate) fn choice_name<T: PartialEq + Copy>(choices: &[(&str, T)], choice: T) -> Option<String> {
    choices.iter().find(|(_, found)| *found == choice).map(|(name, _)| (*name).to_owned())
}

fn status(field: &'static str, text: Option<&str>, usual: Status) -> Result<Status, StockError> {
    let Some(text) = text else { return Ok(usual) };
    let word = u16::from_str_radix(text, 16).ok().filter(|word| text.len() == 4 && word >> 12 == 6);
    word.map(Status::from).ok_or_else(|| refused(field, text, "status words from 6000 to 6FFF"))
}

fn tries(field: &'static str, number: Option<u8>, least: u8, usual: u8) -> Result<u8, StockError> {
    let number = number.unwrap_or(usual);
    if (least..=15).contains(&number) {
        Ok(number)
    } else {
        Err(refused(field, &number, &format_args!("{least} to 15")))
    }
}

fn answer_to_reset(
    field: &'static str,
    text: Option<&str>,
    usual: &'static [u8],
) -> Result<&'static [u8], StockError> {
    let Some(text) = text else { return Ok(usual) };
    let wrong = |reason| StockError::AnswerToReset { field, atr: text.to_owned(), reason };
    let bytes = hex::decode(text).map_err(|_| wrong("write it as pairs of 0-9 and A-F"))?;
    atr::check(&bytes).map_err(wrong)?;
    Ok(Vec::leak(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(lines: &str) -> Result<&'static Profile, StockError> {
        Description::parse(&format!("name = \"test\"\n{lines}"))?.profile()
    }

    #[test]
    fn what_is_not_said_is_as_with_the_other_stock() {
        let stock = described("like = \"yubikey5\"").unwrap();
        let like = Profile::find("yubikey5").unwrap();
        assert_eq!(stock.name, "test");
        assert_eq!((stock.atr, stock.contactless_atr), (like.atr, like.contactless_atr));
        assert_eq!(stock.choices.select_answer, SelectAnswer::Short);
        assert_eq!(stock.yubico.map(|yubico| yubico.version), like.yubico.map(|yubico| yubico.version));
    }

    #[test]
    fn every_field_has_its_effect() {
        let stock = described(
            "like = \"piv\"\natr = \"3B80800101\"\ncontactless_atr = \"3B8180015555\"\nlabel = \"L\"\n\
             description = \"D\"\nstated_lengths = [1, 2]\nalgorithms = [\"P-384\"]\ndefault_tries = 15\n\
             tries_kept_for_contact = 0\nempty_container = \"not-found\"\nmalformed_reference = \"spends-try\"\n\
             blocked_status = \"63C0\"\nempty_slot = \"6A88\"\nother_algorithm = \"6A81\"\nwrong_administrator_proof = \"6300\"\n\
             select_answer = \"short\"\nreselection = \"clears\"\nreference_format = \"any-bytes\"\n\
             antenna = \"like-contacts\"\nadministrator_unblock = false\nkey_import = false",
        )
        .unwrap();
        let Profile { atr, contactless_atr, label, description, choices, .. } = stock;
        assert_eq!(*atr, [0x3B, 0x80, 0x80, 0x01, 0x01]);
        assert_eq!(*contactless_atr, [0x3B, 0x81, 0x80, 0x01, 0x55, 0x55]);
        assert_eq!((*label, *description, stock.stated_lengths), ("L", "D", Some([1, 2])));
        assert_eq!(stock.algorithms, [AsymmetricAlgorithm::EccP384]);
        assert_eq!((stock.default_tries, stock.tries_kept_for_contact), (15, 0));
        assert_eq!(choices.empty_container, EmptyContainer::NotFound);
        assert_eq!(choices.malformed_reference, MalformedReference::SpendsTry);
        assert_eq!(choices.blocked_status, Status::TriesLeft(0));
        assert_eq!(choices.empty_slot, Status::ReferenceNotFound);
        assert_eq!(choices.other_algorithm, Status::FunctionNotSupported);
        assert_eq!(choices.wrong_administrator_proof, Status::VerificationFailed);
        assert_eq!((choices.select_answer, choices.reselection), (SelectAnswer::Short, Reselection::Clears));
        assert_eq!(choices.reference_format, ReferenceFormat::AnyBytes);
        assert_eq!(choices.antenna, Antenna::LikeContacts);
        assert!(!choices.administrator_unblock && !choices.key_import);
        let yubikey = described("like = \"yubikey5\"\nfirmware = \"5.6.9\"").unwrap();
        assert_eq!(yubikey.yubico.map(|yubico| yubico.version), Some(Version::new(5, 6, 9)));
    }

    #[test]
    fn a_description_is_read_as_it_was_written_and_is_one_stock() {
        let text = "name = \"same\"\nlike = \"piv\"\nlabel = \"One\"\ndefault_tries = 4\n";
        let description = Description::parse(text).unwrap();
        assert_eq!(description.to_toml(), text);
        let again = Description::parse(&description.to_toml()).unwrap();
        assert!(std::ptr::eq(description.profile().unwrap(), again.profile().unwrap()));
        let other = Description { default_tries: Some(5), ..description.clone() };
        assert!(!std::ptr::eq(description.profile().unwrap(), other.profile().unwrap()));
    }

    #[test]
    fn wrong_descriptions_are_refused_with_the_field() {
        for (lines, said) in [
            ("", "missing field `like`"),
            ("like = \"piv\"\ncolour = 1", "unknown field `colour`"),
            ("like = \"pvi\"", "like = \"pvi\" names no built-in stock"),
            ("like = \"piv\"\natr = \"3B\"", "atr = \"3B\" is no answer to reset"),
            ("like = \"piv\"\natr = \"piv\"", "pairs of 0-9"),
            ("like = \"piv\"\natr = \"3B80800100\"", "check byte"),
            ("like = \"piv\"\nlabel = \"Longer than sixteen\"", "16 bytes at most"),
            ("like = \"piv\"\nempty_container = \"gone\"", "zero-length, not-found"),
            ("like = \"piv\"\nempty_slot = \"9000\"", "6000 to 6FFF"),
            ("like = \"piv\"\nempty_slot = \"6a8\"", "6000 to 6FFF"),
            ("like = \"piv\"\ndefault_tries = 16", "1 to 15"),
            ("like = \"piv\"\ndefault_tries = 0", "1 to 15"),
            ("like = \"piv\"\nalgorithms = [\"DSA\"]", "RSA-2048"),
            ("like = \"piv\"\nfirmware = \"5.4.3\"", "like a YubiKey"),
            ("like = \"yubikey5\"\nfirmware = \"5.4\"", "three numbers"),
        ] {
            let error = described(lines).unwrap_err().to_string();
            assert!(error.contains(said), "{lines}: {error}");
        }
        for name in ["", "Agency", "a b", &"a".repeat(33)] {
            let description = Description { name: name.into(), like: "piv".into(), ..Description::default() };
            assert_eq!(description.profile().unwrap_err(), StockError::Name(name.into()));
        }
        let description = Description { name: "piv".into(), like: "piv".into(), ..Description::default() };
        assert_eq!(description.profile().unwrap_err(), StockError::NameTaken("piv".into()));
    }
}
