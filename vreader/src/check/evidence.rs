//! What was seen of a card: everything that the rows of SP 800-85B are judged by.
//!
//! It is data, so that the objects of a card that is far away can be judged as well as a card at hand: what only a card
//! at hand can show is then missing, and the rows that ask for it say so.

use std::collections::BTreeMap;

use apdu::tlv_ber::Reader;
use card_sim::object::{Container, Presence};
use der::Decode;
use x509_cert::Certificate;

use super::{
    outcome::{Seen, failed, not_applicable},
    rows::container_name,
};
use crate::{
    inspect::certificate::unpack,
    issue::{Date, fascn::Fascn},
};

/// The answer to GET DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The object, with its outer tag.
    Object(Vec<u8>),
    /// Another status word than `9000`.
    Refused(u16),
}

/// Whether a private key belongs to a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The card used it.
    Proved,
    /// The card used another key, or refused.
    Refuted(String),
    /// It could not be tried, and why.
    NotTried(String),
}

/// What was seen of a card.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Data objects by tag.
    pub objects: BTreeMap<u32, Found>,
    /// Proofs of private keys by key reference.
    pub proofs: BTreeMap<u8, Proof>,
    /// The card-verifiable certificate of the key `04`, with its tag `7F21`.
    pub card_verifiable_certificate: Option<Vec<u8>>,
    /// Status word of VERIFY for the Global PIN without data.
    pub global_pin: Option<u16>,
    /// Whether there was a card, and not its objects only.
    pub at_hand: bool,
}

impl Evidence {
    /// Objects without a card, as GET DATA would answer them.
    pub fn from_objects(objects: impl IntoIterator<Item = (u32, Vec<u8>)>) -> Self {
        let objects = objects.into_iter().map(|(tag, object)| (tag, Found::Object(object))).collect();
        Self { objects, ..Self::default() }
    }
}

/// What the rows are judged by: the evidence, a day, and whom to trust.
pub(super) struct Subject<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) now: Date,
}

impl<'a> Subject<'a> {
    /// The object, unless there is none or its container is empty.
    pub(super) fn object(&self, tag: u32) -> Seen<&'a [u8]> {
        let name = container_name(tag);
        match self.evidence.objects.get(&tag) {
            None => not_applicable(format!("{name} is not among the objects that were given")),
            Some(Found::Refused(0x6A82)) => not_applicable(format!("the card has no {name}")),
            Some(Found::Refused(0x6982)) => {
                not_applicable(format!("{name} cannot be read without the PIN; give it with --pin"))
            }
            Some(Found::Refused(status)) => not_applicable(format!("{name} was refused with {status:04X}")),
            Some(Found::Object(object)) if is_empty(object) => {
                not_applicable(format!("the container of {name} is empty"))
            }
            Some(Found::Object(object)) => Ok(object),
        }
    }

    /// What is inside the container, element by element.
    pub(super) fn elements(&self, tag: u32) -> Seen<Elements<'a>> {
        match Elements::parse(tag, self.object(tag)?) {
            Ok(elements) => Ok(elements),
            Err(_) => not_applicable(format!(
                "{} cannot be read as elements; its row BERTLV.1 says why",
                container_name(tag)
            )),
        }
    }

    /// One element of a container.
    pub(super) fn element(&self, tag: u32, element: u32) -> Seen<&'a [u8]> {
        let elements = self.elements(tag)?;
        match elements.get(element) {
            Some(value) => Ok(value),
            None => not_applicable(format!("{} has no element {element:02X}", container_name(tag))),
        }
    }

    /// The certificate in a container, and its DER. The row fails if there is one that cannot be read.
    pub(super) fn certificate_or_failure(&self, tag: u32) -> Seen<(Certificate, Vec<u8>)> {
        let stored = self.element(tag, 0x70)?;
        let info = self.elements(tag)?.get(0x71).and_then(|info| info.first()).copied();
        let der = match info {
            Some(0x01) => unpack(stored),
            _ => Ok(stored.to_vec()),
        };
        let read = der.and_then(|der| {
            Certificate::from_der(&der).map(|read| (read, der)).map_err(|error| error.to_string())
        });
        read.or_else(|error| failed("a certificate in DER, packed if CertInfo is 01", error))
    }

    /// The same; rows behind the one that fails do not apply.
    pub(super) fn certificate(&self, tag: u32) -> Seen<(Certificate, Vec<u8>)> {
        self.certificate_or_failure(tag).or_else(|_| {
            not_applicable(format!("there is no certificate to be read in {}", container_name(tag)))
        })
    }

    /// The FASC-N of the CHUID.
    pub(super) fn fascn(&self) -> Seen<&'a [u8]> {
        self.element(0x5F_C102, 0x30)
    }

    /// Whether this is a PIV-I card, of an issuer that is no federal agency: agency, system and credential number of its
    /// FASC-N are nines, and the Card UUID is what names the card.
    pub(super) fn is_piv_interoperable(&self) -> bool {
        let fascn = self.fascn().ok().and_then(|fascn| Fascn::decode(fascn).ok());
        fascn.is_some_and(|fascn| {
            (fascn.agency_code, fascn.system_code, fascn.credential_number) == (9999, 9999, 999_999)
        })
    }

    /// The Card UUID of the CHUID.
    pub(super) fn card_uuid(&self) -> Seen<&'a [u8]> {
        self.element(0x5F_C102, 0x34)
    }

    /// The last day, as the CHUID says.
    pub(super) fn expiration(&self) -> Seen<Date> {
        match Date::from_compact(self.element(0x5F_C102, 0x35)?) {
            Some(date) => Ok(date),
            None => not_applicable("the CHUID has no expiration date that can be read"),
        }
    }
}

/// Whether every card must have the object.
pub(super) fn is_mandatory(tag: u32) -> bool {
    Container::find(tag).is_some_and(|container| container.presence == Presence::Mandatory)
}

/// Nothing, or nothing behind the outer tag: a container that was never filled (SP 800-73-5 part 1, 4.1.1).
pub(super) fn is_empty(object: &[u8]) -> bool {
    matches!(object, [] | [_, 0x00] | [0x7F, 0x61, 0x00])
}

/// The elements of a container.
#[derive(Debug)]
pub(super) struct Elements<'a> {
    pub(super) list: Vec<(u32, &'a [u8])>,
    /// The outer length, and the lengths of elements, that are not the shortest.
    pub(super) long_lengths: Vec<u32>,
}

impl<'a> Elements<'a> {
    /// Reads an object to its end.
    pub(super) fn parse(tag: u32, object: &'a [u8]) -> Result<Self, String> {
        let outer = outer_tag(tag);
        let mut reader = Reader::new(object);
        let contents = reader.expect(apdu::Tag::new(outer)).map_err(|error| error.to_string())?;
        reader.finish().map_err(|error| format!("behind the object: {error}"))?;
        let mut list = Vec::new();
        let mut long_lengths = Vec::new();
        if !has_shortest_length(outer, contents.len(), object.len()) {
            long_lengths.push(outer);
        }
        // Only these have tags of more than one byte: 5F2F, 7F60 and 7F21.
        let mut inner = match tag {
            0x7E | 0x7F61 | 0x5F_C122 => Reader::new(contents),
            _ => Reader::single_byte_tags(contents),
        };
        loop {
            let before = inner.remaining().len();
            match inner.next() {
                Ok(Some(element)) => {
                    let (number, used) = (element.tag.number(), before - inner.remaining().len());
                    if !has_shortest_length(number, element.value.len(), used) {
                        long_lengths.push(number);
                    }
                    list.push((number, element.value));
                }
                Ok(None) => return Ok(Self { list, long_lengths }),
                Err(error) => return Err(format!("after {} elements: {error}", list.len())),
            }
        }
    }

    /// Value of the first element with this tag.
    pub(super) fn get(&self, tag: u32) -> Option<&'a [u8]> {
        self.list.iter().find(|(found, _)| *found == tag).map(|(_, value)| *value)
    }

    /// Where the first element with this tag stands.
    pub(super) fn position(&self, tag: u32) -> Option<usize> {
        self.list.iter().position(|(found, _)| *found == tag)
    }

    /// The tags, for people.
    pub(super) fn tags(&self) -> String {
        if self.list.is_empty() {
            return "no elements".to_owned();
        }
        let tags: Vec<_> = self.list.iter().map(|(tag, _)| format!("{tag:02X}")).collect();
        tags.join(" ")
    }
}

/// Tag that stands around the contents.
pub(super) fn outer_tag(tag: u32) -> u32 {
    if matches!(tag, 0x7E | 0x7F61) { tag } else { 0x53 }
}

/// Whether an element that takes `used` bytes wastes none of them on its length.
fn has_shortest_length(tag: u32, length: usize, used: usize) -> bool {
    apdu::tlv_ber::encoded_len(apdu::Tag::new(tag), length) == Some(used)
}
