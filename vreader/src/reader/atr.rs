//! Answers to reset: which protocols one offers, and whether it is one (ISO/IEC 7816-3, 8.2 and 8.3).

use super::{Protocol, Protocols};

/// The first byte of an answer to reset: direct or inverse convention.
const CONVENTIONS: [u8; 2] = [0x3B, 0x3F];

/// The protocols that a card offers: T=0 and T=1 of those in its interface bytes; nothing if the answer is not one.
///
/// An answer that names no protocol means T=0. A card with a TA2 is in specific mode and speaks that one protocol only.
pub(crate) fn protocols(atr: &[u8]) -> Protocols {
    scan(atr).map_or(Protocols::NONE, Protocols::from_mask)
}

fn scan(atr: &[u8]) -> Option<u32> {
    let mut bytes = atr.iter().copied();
    bytes.next().filter(|convention| CONVENTIONS.contains(convention))?;
    let mut present = bytes.next()? >> 4;
    let mut offered = None;
    for group in 1.. {
        let mut interface_byte =
            |bit: u8| if present & bit == 0 { Some(None) } else { bytes.next().map(Some) };
        let ta = interface_byte(0x1)?;
        let _tb = interface_byte(0x2)?;
        let _tc = interface_byte(0x4)?;
        let td = interface_byte(0x8)?;
        if let (2, Some(specific)) = (group, ta) {
            return Some(bit(specific));
        }
        let Some(td) = td else { break };
        offered = Some(offered.unwrap_or_default() | bit(td));
        present = td >> 4;
    }
    Some(offered.unwrap_or(Protocol::T0.value()))
}

/// Longest answer to reset.
const LONGEST: usize = 33;

/// Whether a reader would accept these bytes; if not, why.
pub(crate) fn check(atr: &[u8]) -> Result<(), &'static str> {
    let [convention, format, rest @ ..] = atr else { return Err("it has at least two bytes") };
    if !CONVENTIONS.contains(convention) {
        return Err("the first byte is 3B or 3F");
    }
    if atr.len() > LONGEST {
        return Err("it has 33 bytes at most");
    }
    let (mut present, mut interface_bytes) = (format >> 4, 0);
    let mut only_t0 = true;
    while present != 0 {
        let last = present & 0x8 == 0;
        interface_bytes += present.count_ones() as usize;
        if last {
            break;
        }
        let td = interface_bytes.checked_sub(1).and_then(|at| rest.get(at));
        let td = td.ok_or("an interface byte is announced and missing")?;
        only_t0 &= bit(*td) == Protocol::T0.value();
        present = td >> 4;
    }
    let expected = interface_bytes + usize::from(format & 0x0F) + usize::from(!only_t0);
    if rest.len() != expected {
        return Err("it has not as many bytes as its second byte and its interface bytes say");
    }
    let sum = atr.iter().skip(1).fold(0, |sum, byte| sum ^ byte);
    if only_t0 || sum == 0 { Ok(()) } else { Err("its check byte is wrong") }
}

/// The protocol in the low half of a TDi or TA2, if it is one that PC/SC carries.
fn bit(interface_byte: u8) -> u32 {
    match interface_byte & 0x0F {
        0 => Protocol::T0.value(),
        1 => Protocol::T1.value(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_every_stock_and_of_genuine_cards_check() {
        let stocks = card_sim::profile::ALL.iter();
        for atr in stocks.flat_map(|profile| [profile.atr, profile.contactless_atr]) {
            assert_eq!(check(atr), Ok(()), "{atr:02X?}");
        }
        for (atr, expected) in [
            ("3B00", Ok(())),
            ("3F00", Ok(())),
            ("3B80800101", Ok(())),
            ("3B", Err("it has at least two bytes")),
            ("A500", Err("the first byte is 3B or 3F")),
            ("3B01", Err("it has not as many bytes as its second byte and its interface bytes say")),
            ("3B0000", Err("it has not as many bytes as its second byte and its interface bytes say")),
            ("3B80", Err("an interface byte is announced and missing")),
            ("3B80800100", Err("its check byte is wrong")),
        ] {
            assert_eq!(check(&hex::decode(atr).unwrap()), expected, "{atr}");
        }
        assert_eq!(check(&[&[0x3B, 0x0F][..], &[0; 32]].concat()), Err("it has 33 bytes at most"));
    }

    #[test]
    fn protocols_of_answers() {
        const BOTH: u32 = 3;
        for (atr, expected, what) in [
            ("3B00", 1, "no interface bytes: T=0"),
            ("3F00", 1, "inverse convention"),
            ("3B1011", 1, "TA1 only"),
            ("3B8001", 2, "TD1 names T=1"),
            ("3B800000", 1, "TD1 names T=0"),
            ("3B8080010101", BOTH, "TD1 names T=0, TD2 T=1"),
            ("3B9513810180 73FF01000B", 2, "TA1, TD1 T=1, TD2 T=1"),
            ("3B8081 1F 00", 2, "TD1 T=1, TD2 T=15, which is no protocol"),
            ("3B90111000", 1, "TA2 with T=0: specific mode"),
            ("3B901181 1101", BOTH & 2, "TA2 absent, TD2 T=1"),
            ("3BD0 11 00 90 11 01", 2, "TA2 names T=1"),
            ("3B", 0, "too short"),
            ("3B80", 0, "TD1 is announced and missing"),
            ("A500", 0, "no convention"),
            ("3B8002", 0, "T=2 is none of PC/SC's"),
        ] {
            let bytes = hex::decode(atr.replace(' ', "")).unwrap();
            assert_eq!(protocols(&bytes), Protocols::from_mask(expected), "{atr}: {what}");
        }
    }
}
