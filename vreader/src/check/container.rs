//! Containers: lengths, tags and their order (SP 800-85B, section 8: BERTLV.1 to 4, 73-4.1 to 56).
//!
//! The tables are those of SP 800-73-4 part 1, appendix A, which holds the elements that revision 5 dropped too: cards
//! of either revision pass.

use apdu::tlv_ber::Reader;

use super::{
    evidence::{Elements, Found, Subject, is_empty, is_mandatory, outer_tag},
    outcome::{Check, Seen, failed, hex, must, not_applicable},
    rows::container_name,
};
use crate::issue::{Date, fascn::Fascn};

/// How long an element may be.
#[derive(Clone, Copy)]
enum Length {
    Exactly(usize),
    EmptyOr(usize),
    UpTo(usize),
    Any,
}

impl Length {
    fn allows(self, length: usize) -> bool {
        match self {
            Self::Exactly(wanted) => length == wanted,
            Self::EmptyOr(wanted) => length == 0 || length == wanted,
            Self::UpTo(most) => length <= most,
            Self::Any => true,
        }
    }

    fn in_words(self) -> String {
        match self {
            Self::Exactly(wanted) => format!("{wanted} bytes"),
            Self::EmptyOr(wanted) => format!("0 or {wanted} bytes"),
            Self::UpTo(most) => format!("at most {most} bytes"),
            Self::Any => "any length".to_owned(),
        }
    }
}

/// One row of a container's table: tag, length, and whether it may be left out.
type Place = (u32, Length, bool);

const REQUIRED: bool = false;
const OPTIONAL: bool = true;

const CCC: [Place; 15] = [
    (0xF0, Length::EmptyOr(21), REQUIRED),
    (0xF1, Length::EmptyOr(1), REQUIRED),
    (0xF2, Length::EmptyOr(1), REQUIRED),
    (0xF3, Length::UpTo(128), REQUIRED),
    (0xF4, Length::EmptyOr(1), REQUIRED),
    (0xF5, Length::Exactly(1), REQUIRED),
    (0xF6, Length::EmptyOr(17), REQUIRED),
    (0xF7, Length::Exactly(0), REQUIRED),
    (0xFA, Length::Exactly(0), REQUIRED),
    (0xFB, Length::Exactly(0), REQUIRED),
    (0xFC, Length::Exactly(0), REQUIRED),
    (0xFD, Length::Exactly(0), REQUIRED),
    (0xE3, Length::UpTo(48), OPTIONAL),
    (0xB4, Length::UpTo(48), OPTIONAL),
    (0xFE, Length::Exactly(0), REQUIRED),
];
const CHUID: [Place; 9] = [
    (0xEE, Length::Exactly(2), OPTIONAL),
    (0x30, Length::Exactly(25), REQUIRED),
    (0x32, Length::Exactly(4), OPTIONAL),
    (0x33, Length::Exactly(9), OPTIONAL),
    (0x34, Length::Exactly(16), REQUIRED),
    (0x35, Length::Exactly(8), REQUIRED),
    (0x36, Length::Exactly(16), OPTIONAL),
    (0x3E, Length::UpTo(2816), REQUIRED),
    (0xFE, Length::Exactly(0), REQUIRED),
];
/// The standard recommends 1856 bytes for a certificate, and lets it be longer.
const CERTIFICATE: [Place; 4] = [
    (0x70, Length::Any, REQUIRED),
    (0x71, Length::Exactly(1), REQUIRED),
    (0x72, Length::UpTo(38), OPTIONAL),
    (0xFE, Length::Exactly(0), REQUIRED),
];
const BIOMETRIC: [Place; 2] = [(0xBC, Length::Any, REQUIRED), (0xFE, Length::Exactly(0), REQUIRED)];
const PRINTED: [Place; 8] = [
    (0x01, Length::UpTo(125), REQUIRED),
    (0x02, Length::UpTo(20), REQUIRED),
    (0x04, Length::Exactly(9), REQUIRED),
    (0x05, Length::UpTo(20), REQUIRED),
    (0x06, Length::UpTo(15), REQUIRED),
    (0x07, Length::UpTo(20), OPTIONAL),
    (0x08, Length::UpTo(20), OPTIONAL),
    (0xFE, Length::Exactly(0), REQUIRED),
];
const SECURITY_OBJECT: [Place; 3] = [
    (0xBA, Length::UpTo(30), REQUIRED),
    (0xBB, Length::UpTo(1298), REQUIRED),
    (0xFE, Length::Exactly(0), REQUIRED),
];
const DISCOVERY: [Place; 2] = [(0x4F, Length::Exactly(11), REQUIRED), (0x5F2F, Length::Exactly(2), REQUIRED)];
const KEY_HISTORY: [Place; 4] = [
    (0xC1, Length::Exactly(1), REQUIRED),
    (0xC2, Length::Exactly(1), REQUIRED),
    (0xF3, Length::UpTo(118), OPTIONAL),
    (0xFE, Length::Exactly(0), REQUIRED),
];
const SIGNER: [Place; 4] = [
    (0x70, Length::Any, REQUIRED),
    (0x71, Length::Exactly(1), REQUIRED),
    (0x7F21, Length::UpTo(601), OPTIONAL),
    (0xFE, Length::Exactly(0), REQUIRED),
];
const PAIRING_CODE: [Place; 2] = [(0x99, Length::Exactly(8), REQUIRED), (0xFE, Length::Exactly(0), REQUIRED)];

/// The table of a container.
fn table(tag: u32) -> &'static [Place] {
    match tag {
        0x5F_C107 => &CCC,
        0x5F_C102 => &CHUID,
        0x5F_C103 | 0x5F_C108 | 0x5F_C121 => &BIOMETRIC,
        0x5F_C109 => &PRINTED,
        0x5F_C106 => &SECURITY_OBJECT,
        0x7E => &DISCOVERY,
        0x5F_C10C => &KEY_HISTORY,
        0x5F_C122 => &SIGNER,
        0x5F_C123 => &PAIRING_CODE,
        _ => &CERTIFICATE,
    }
}

/// BERTLV.1 to 4.
pub(super) fn ber_tlv(atom: &str, tag: u32, subject: &Subject<'_>) -> Check {
    if atom == "BERTLV.3" {
        return answered(tag, subject);
    }
    let object = subject.object(tag)?;
    let elements = Elements::parse(tag, object);
    match (atom, elements) {
        ("BERTLV.1", Err(error)) => failed("elements from the first byte to the last", error),
        ("BERTLV.1", Ok(elements)) => must(
            elements.long_lengths.is_empty(),
            "lengths in as few bytes as they need: 1 below 80, 2 below 100, 3 below 10000",
            || format!("longer ones behind {:02X?}", elements.long_lengths),
        ),
        // Its tag has three bytes in the command; in the answer it is 53. The two templates are their own tags.
        ("BERTLV.2", _) => {
            let wanted: &[u8] = match tag {
                0x7E => &[0x7E],
                0x7F61 => &[0x7F, 0x61],
                _ => &[0x53],
            };
            must(object.starts_with(wanted), &format!("an object that begins with {}", hex(wanted)), || {
                hex(object)
            })
        }
        (_, Ok(elements)) => {
            let wasteful = elements.long_lengths.iter().find(|tag| elements.get(**tag) == Some(&[]));
            must(
                wasteful.is_none(),
                "00 as the length of an empty element, and the next tag behind it",
                || format!("a longer length behind {wasteful:02X?}"),
            )
        }
        (_, Err(_)) => not_applicable("the object cannot be read as elements; row BERTLV.1 says why"),
    }
}

/// BERTLV.3: the object is there.
fn answered(tag: u32, subject: &Subject<'_>) -> Check {
    let expected = format!("{} with status word 9000: every card has it", container_name(tag));
    match subject.evidence.objects.get(&tag) {
        Some(Found::Refused(status @ 0x6A82)) if is_mandatory(tag) => {
            failed(expected, format!("{status:04X}"))
        }
        Some(Found::Refused(status)) if !matches!(status, 0x6A82 | 0x6982) => {
            failed(expected, format!("{status:04X}"))
        }
        Some(Found::Object(object)) if is_empty(object) && is_mandatory(tag) => {
            failed(expected, "an empty container")
        }
        _ => subject.object(tag).map(|_| ()),
    }
}

/// 73-4.56: order and lengths of all elements.
pub(super) fn order_and_lengths(tag: u32, subject: &Subject<'_>) -> Check {
    let elements = subject.elements(tag)?;
    let mut list = elements.list.iter().peekable();
    for (wanted, length, optional) in table(tag) {
        match list.peek() {
            Some((found, value)) if found == wanted => {
                must(
                    length.allows(value.len()),
                    &format!("{} in element {wanted:02X}", length.in_words()),
                    || format!("{} bytes", value.len()),
                )?;
                list.next();
            }
            _ if *optional => {}
            _ => return failed(format!("{wanted:02X} at its place"), elements.tags()),
        }
    }
    must(list.peek().is_none(), "nothing behind the last element", || elements.tags())
}

/// The rows 73-4.1 to 73-4.55 that are about elements.
pub(super) fn element_row(atom: &str, tag: u32, subject: &Subject<'_>) -> Check {
    let elements = subject.elements(tag)?;
    let all = |tags: &[u32]| in_order(&elements, tags, true);
    let some = |tags: &[u32]| in_order(&elements, tags, false);
    match atom {
        "73-4.1" => {
            let found = elements.get(0xF5).unwrap_or_default();
            must(found == [0x10], "data model number 10 in F5", || hex(found))
        }
        // It was fetched with this tag.
        "73-4.2" => Ok(()),
        "73-4.3" => all(&[0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xFA, 0xFB, 0xFC, 0xFD]),
        "73-4.4" => some(&[0xFD, 0xE3, 0xB4]),
        "73-4.5" | "73-4.21" | "73-4.30" => last(&elements),
        "73-4.9" => {
            must(elements.position(0xEE).is_none_or(|place| place == 0), "EE first", || elements.tags())
        }
        "73-4.10" => all(&[0x30]),
        "73-4.11" => some(&[0x30, 0x32, 0x33]),
        "73-4.14" => all(&[0x3E, 0xFE]),
        "73-4.17" => only(&elements, &[0xEE, 0x30, 0x32, 0x33, 0x34, 0x35, 0x36, 0x3E, 0xFE]),
        "73-4.19" => all(&[0x70, 0x71]),
        "73-4.20" => some(&[0x70, 0x71, 0x72]),
        "73-4.22" => only(&elements, &[0x70, 0x71, 0x72, 0xFE]),
        "73-4.23" => match elements.get(0xFE) {
            Some(value) => must(value.is_empty(), "FE 00", || format!("{} bytes in FE", value.len())),
            None => not_applicable("there is no element FE"),
        },
        "73-4.24" => must(elements.get(0x3D).is_none(), "no authentication key map 3D", || elements.tags()),
        "73-4.25" => all(&[0xBC]),
        "73-4.26" => only(&elements, &[0xBC, 0xFE]),
        "73-4.28" => all(&[0x01, 0x02, 0x05, 0x06]),
        "73-4.52" => some(&[0x01, 0x02, 0x05, 0x06]),
        "73-4.29" => some(&[0x06, 0x07, 0x08]),
        "73-4.31" => only(&elements, &[0x01, 0x02, 0x04, 0x05, 0x06, 0x07, 0x08, 0xFE]),
        "73-4.53" => follows(&elements, 0xFE, &[0x06, 0x07, 0x08]),
        "73-4.34" => present(&elements, &[0xBA, 0xBB, 0xFE]),
        "73-4.54" => some(&[0xBA, 0xBB, 0xFE]),
        "73-4.35" => only(&elements, &[0xBA, 0xBB, 0xFE]),
        "73-4.40" => present(&elements, &[0x4F]),
        "73-4.41" => present(&elements, &[0x5F2F]),
        "73-4.55" => some(&[0x4F, 0x5F2F]),
        "73-4.43" => match elements.position(0x30) {
            None => not_applicable("there is no element 30"),
            Some(0) => Ok(()),
            Some(place) => {
                must(place == 1 && elements.get(0xEE).is_some(), "30 first, or behind EE", || elements.tags())
            }
        },
        "73-4.44" => present(&elements, &[0x34]),
        "73-4.45" => follows(&elements, 0x34, &[0x30, 0x32, 0x33]),
        "73-4.46" => present(&elements, &[0x35]),
        "73-4.47" => follows(&elements, 0x35, &[0x34]),
        "73-4.48" => present(&elements, &[0x3E]),
        "73-4.49" => follows(&elements, 0x3E, &[0x35, 0x36]),
        "73-4.50" => present(&elements, &[0xFE]),
        "73-4.51" => follows(&elements, 0xFE, &[0x3E]),
        _ => not_applicable(format!("nothing is known of the assertion {atom}")),
    }
}

/// The rows about the values of the CHUID.
pub(super) fn chuid_row(atom: &str, id: &str, subject: &Subject<'_>) -> Check {
    const TAG: u32 = 0x5F_C102;
    match (atom, id) {
        ("73-4.12", _) => match Fascn::decode(subject.fascn()?) {
            Ok(_) => Ok(()),
            Err(error) => failed("a FASC-N with all its fields", error.to_string()),
        },
        // The row's text asks for the value here, and for the place in 8.2.2.8.
        ("73-4.13", "8.2.5") => {
            let Some(uuid) = subject.elements(TAG)?.get(0x36) else {
                return not_applicable("the CHUID has no Cardholder UUID");
            };
            must(is_uuid(uuid), "a UUID of RFC 4122, version 1, 4 or 5", || hex(uuid))
        }
        ("73-4.13", _) => {
            let elements = subject.elements(TAG)?;
            match elements.get(0x36) {
                Some(_) => follows(&elements, 0x36, &[0x35]),
                None => not_applicable("the CHUID has no Cardholder UUID"),
            }
        }
        ("73-4.15", _) => {
            let date = subject.element(TAG, 0x35)?;
            must(Date::from_compact(date).is_some(), "a day written YYYYMMDD", || hex(date))
        }
        _ => {
            let (last, now) = (subject.expiration()?, subject.now);
            must(
                (now..=now.plus_years(15)).contains(&last),
                &format!("a last day from {now} on, and within 15 years"),
                || last.to_string(),
            )
        }
    }
}

/// Whether version and variant are those of a UUID that the standard allows (SP 800-73-5 part 1, 3.4).
fn is_uuid(uuid: &[u8]) -> bool {
    matches!(
        (uuid.get(6).map(|byte| byte >> 4), uuid.get(8).map(|byte| byte >> 6)),
        (Some(1 | 4 | 5), Some(0b10))
    ) && uuid.len() == 16
}

/// The elements stand one behind the other in this order; those that are there, or all of them.
fn in_order(elements: &Elements<'_>, tags: &[u32], all: bool) -> Check {
    let places: Vec<_> = tags.iter().map(|tag| elements.position(*tag)).collect();
    if all {
        present(elements, tags)?;
    }
    let there: Vec<_> = places.into_iter().flatten().collect();
    must(there.is_sorted(), &format!("the order {tags:02X?}"), || elements.tags())
}

fn present(elements: &Elements<'_>, tags: &[u32]) -> Check {
    let missing = tags.iter().find(|tag| elements.position(**tag).is_none());
    must(missing.is_none(), &format!("{tags:02X?} present"), || elements.tags())
}

fn only(elements: &Elements<'_>, tags: &[u32]) -> Check {
    let other = elements.list.iter().find(|(tag, _)| !tags.contains(tag));
    must(other.is_none(), &format!("no other elements than {tags:02X?}"), || elements.tags())
}

/// `tag` stands directly behind one of the others.
fn follows(elements: &Elements<'_>, tag: u32, before: &[u32]) -> Check {
    let Some(place) = elements.position(tag) else {
        return not_applicable(format!("there is no element {tag:02X}"));
    };
    let previous = place.checked_sub(1).and_then(|place| elements.list.get(place));
    must(
        previous.is_some_and(|(found, _)| before.contains(found)),
        &format!("{tag:02X} behind one of {before:02X?}"),
        || elements.tags(),
    )
}

/// `FE` is there and ends the container.
fn last(elements: &Elements<'_>) -> Check {
    must(elements.list.last().is_some_and(|(tag, _)| *tag == 0xFE), "FE at the end", || elements.tags())
}

/// Rows that the table leaves open for the containers 8.12 to 8.17: elements, their order and lengths, and values.
pub(super) fn optional_container(tag: u32, subject: &Subject<'_>) -> Check {
    for atom in ["BERTLV.1", "BERTLV.2", "BERTLV.4"] {
        ber_tlv(atom, tag, subject)?;
    }
    if tag == 0x7F61 {
        return super::policy::bit_group(subject).map(|_| ());
    }
    order_and_lengths(tag, subject)?;
    match tag {
        0x5F_C10C => super::policy::key_history(subject),
        0x5F_C123 => {
            let code = subject.element(tag, 0x99)?;
            must(code.iter().all(u8::is_ascii_digit), "eight digits in 99", || hex(code))
        }
        0x5F_C103 | 0x5F_C108 | 0x5F_C121 => Ok(()),
        _ => certificate_info(tag, subject),
    }
}

/// CertInfo says whether the certificate is packed, and nothing else; there is a certificate.
fn certificate_info(tag: u32, subject: &Subject<'_>) -> Check {
    let info = subject.element(tag, 0x71)?;
    must(matches!(info, [0x00 | 0x01]), "CertInfo 00 (plain) or 01 (gzip)", || hex(info))?;
    subject.certificate_or_failure(tag).map(|_| ())
}

/// All retired certificates.
pub(super) fn retired(subject: &Subject<'_>) -> Check {
    let tags: Vec<u32> = (0x5F_C10D..=0x5F_C120).filter(|tag| subject.object(*tag).is_ok()).collect();
    if tags.is_empty() {
        return not_applicable("the card has no retired certificates");
    }
    tags.into_iter().try_for_each(|tag| optional_container(tag, subject))
}

/// What is inside a container's outer tag, whatever its elements are: what a hash of the Security Object is over.
pub(super) fn contents<'a>(tag: u32, subject: &Subject<'a>) -> Seen<&'a [u8]> {
    let object = subject.object(tag)?;
    Reader::new(object)
        .expect(apdu::Tag::new(outer_tag(tag)))
        .or_else(|_| not_applicable(format!("{} cannot be unwrapped", container_name(tag))))
}
