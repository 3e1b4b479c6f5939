//! Which protocols an answer to reset offers (ISO/IEC 7816-3, 8.2.3 and 8.3).

use super::{Protocol, Protocols};

/// The first byte of an answer to reset: direct or inverse convention.
const CONVENTIONS: [u8; 2] = [0x3B, 0x3F];

/// The protocols that a card offers: T=0 and T=1 of those in its interface bytes; nothing if the answer is not one.
///
/// An answer that names no protocol means T=0. A card with a TA2 is in specific mode and speaks that one protocol only.
pub(super) fn protocols(atr: &[u8]) -> Protocols {
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
