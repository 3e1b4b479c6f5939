//! The objects that say what a card can do: Discovery (73-4.42), Key History (8.14), BIT Group Template (8.15, 9.5.1).

use apdu::tlv_ber::Reader;

use super::{
    evidence::{Found, Subject},
    outcome::{Check, Seen, failed, hex, must, not_applicable},
};

const DISCOVERY: u32 = 0x7E;
const KEY_HISTORY: u32 = 0x5F_C10C;
const BIT_GROUP: u32 = 0x7F61;
const SIGNER: u32 = 0x5F_C122;
const PAIRING_CODE: u32 = 0x5F_C123;

/// The PIN usage policy (SP 800-73-5 part 1, 3.3.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct PinPolicy {
    first: u8,
    second: u8,
}

impl PinPolicy {
    pub(super) fn global_pin(self) -> bool {
        self.first & 0x20 != 0
    }

    pub(super) fn on_card_comparison(self) -> bool {
        self.first & 0x10 != 0
    }

    pub(super) fn virtual_contact(self) -> bool {
        self.first & 0x08 != 0
    }

    pub(super) fn pairing_code(self) -> bool {
        self.virtual_contact() && self.first & 0x04 == 0
    }

    /// Whether the standard has this value.
    fn is_legal(self) -> bool {
        let second = if self.global_pin() { matches!(self.second, 0x10 | 0x20) } else { self.second == 0 };
        // b7 is always set, b8, b2 and b1 never; without VCI there is no need of a pairing code to tell.
        self.first & 0xC3 == 0x40 && (self.virtual_contact() || self.first & 0x04 == 0) && second
    }
}

/// The policy, if the card has a Discovery Object.
pub(super) fn pin_policy(subject: &Subject<'_>) -> Seen<PinPolicy> {
    match subject.element(DISCOVERY, 0x5F2F)? {
        [first, second] => Ok(PinPolicy { first: *first, second: *second }),
        other => failed("two bytes in 5F2F", hex(other)),
    }
}

/// 73-4.42: the policy is one of the standard's, and what it promises is on the card.
pub(super) fn discovery(subject: &Subject<'_>) -> Check {
    let policy = pin_policy(subject)?;
    must(
        policy.is_legal(),
        "a PIN usage policy of SP 800-73-5 part 1, 3.3.2: 40 48 4C 50 58 5C with 00, 60 68 6C 70 78 7C with 10 or 20",
        || format!("{:02X} {:02X}", policy.first, policy.second),
    )?;
    if policy.global_pin() {
        // Without the card nothing tells whether there is one.
        let status = subject.evidence.global_pin;
        must(status != Some(0x6A88), "a Global PIN, which the policy promises", || {
            "VERIFY for key reference 00 was answered with 6A88: there is none".to_owned()
        })?;
    }
    if policy.on_card_comparison() {
        must(
            bit_group(subject).is_ok_and(|count| count > 0),
            "a BIT Group Template with a template: the policy promises on-card comparison",
            || "none".to_owned(),
        )?;
    }
    if policy.virtual_contact() {
        promised(SIGNER, "the virtual contact interface", subject)?;
    }
    if policy.pairing_code() {
        promised(PAIRING_CODE, "a pairing code", subject)?;
    }
    Ok(())
}

/// An object that the policy promises. It may need the PIN; objects that were not given are not known.
fn promised(tag: u32, what: &str, subject: &Subject<'_>) -> Check {
    let missing = match subject.evidence.objects.get(&tag) {
        Some(Found::Refused(status)) => *status == 0x6A82,
        Some(Found::Object(_)) => subject.object(tag).is_err(),
        None => false,
    };
    must(!missing, &format!("the object {tag:04X}: the policy promises {what}"), || "none".to_owned())
}

/// 8.15: the number of fingers, and as many templates. Gives the number.
pub(super) fn bit_group(subject: &Subject<'_>) -> Seen<usize> {
    let elements = subject.elements(BIT_GROUP)?;
    let Some((&(0x02, &[count]), templates)) = elements.list.split_first() else {
        return failed("the number of fingers, 02 01, first", elements.tags());
    };
    let count = usize::from(count);
    must(count <= 2 && templates.len() == count, "as many templates as fingers, at most two", || {
        format!("{} for {count}", templates.len())
    })?;
    for (tag, template) in templates {
        must(*tag == 0x7F60 && template.len() <= 28, "templates 7F60 of at most 28 bytes", || {
            format!("{tag:02X} with {} bytes", template.len())
        })?;
        // Key reference of the finger.
        let reference = Reader::new(template).find(apdu::Tag::new(0x83)).ok().flatten().unwrap_or_default();
        must(matches!(reference, [0x96 | 0x97]), "key reference 96 or 97 in 83", || hex(reference))?;
    }
    Ok(count)
}

/// 8.14: the numbers fit the retired certificates, and the address is there when it must be.
pub(super) fn key_history(subject: &Subject<'_>) -> Check {
    let (on_card, off_card) = (subject.element(KEY_HISTORY, 0xC1)?, subject.element(KEY_HISTORY, 0xC2)?);
    let (&[on_card], &[off_card]) = (on_card, off_card) else {
        return failed("one byte in C1 and in C2", format!("{} and {}", hex(on_card), hex(off_card)));
    };
    must(u16::from(on_card) + u16::from(off_card) <= 20, "at most 20 retired keys", || {
        format!("{on_card} and {off_card}")
    })?;
    // On-card ones begin with key 82.
    let present = (0x5F_C10D..=0x5F_C120).take_while(|tag| subject.object(*tag).is_ok()).count();
    let unknown = !(0x5F_C10D..=0x5F_C120).any(|tag| subject.evidence.objects.contains_key(&tag));
    must(unknown || present >= usize::from(on_card), "a certificate for each key that C1 counts", || {
        format!("{present} of {on_card}")
    })?;
    let address = subject.elements(KEY_HISTORY)?.get(0xF3).unwrap_or_default();
    match (on_card, off_card, address) {
        (_, 0, []) => Ok(()),
        (0, 0, _) => failed("no address F3: there are no retired keys", hex(address)),
        (_, 1.., []) => failed("an address in F3: there are certificates off the card", "none"),
        _ => {
            let text = String::from_utf8_lossy(address);
            let hash = text.rsplit('/').next().unwrap_or_default();
            let is_hash = hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
            must(
                text.starts_with("http://") && is_hash,
                "http://HOST/HASH, with the SHA-256 of the file in hex",
                || text.to_string(),
            )
        }
    }
}

/// 9.5.1, for cards with on-card comparison.
pub(super) fn on_card_comparison(subject: &Subject<'_>) -> Check {
    if pin_policy(subject)?.on_card_comparison() {
        bit_group(subject).map(|_| ())
    } else {
        not_applicable("the card has no on-card comparison")
    }
}
