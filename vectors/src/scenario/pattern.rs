//! Turns expressions into bytes, and compares answers with expected ones.

use std::fmt::Write as _;

use super::error::{Trouble, spaced};
use super::{Function, Item, Values};
use crate::oracle;

/// An expected answer in which everything known is already bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// These bytes.
    Exact(Vec<u8>),
    /// One byte.
    AnyByte,
    /// Any bytes.
    Any,
    /// That many bytes, or any, kept under a name.
    Keep(String, Option<usize>),
    /// A BER length and that many bytes.
    Ber(Vec<Pattern>),
}

/// The bytes of an expression.
pub(super) fn bytes(items: &[Item], values: &Values) -> Result<Vec<u8>, Trouble> {
    let mut out = Vec::new();
    for item in items {
        match item {
            Item::Bytes(bytes) => out.extend(bytes),
            Item::Value(name) => {
                out.extend(values.get(name).ok_or_else(|| Trouble::NoValue(name.clone()))?);
            }
            Item::Call(function, inside) => out.extend(call(function, &bytes(inside, values)?, values)?),
            Item::Keep(..) | Item::AnyByte | Item::Any => {
                return Err(Trouble::NotComputable("only an expected answer can leave bytes open"));
            }
        }
    }
    Ok(out)
}

fn call(function: &Function, inside: &[u8], values: &Values) -> Result<Vec<u8>, Trouble> {
    let named = |kind: &str, key: &str| {
        let name = format!("{kind}-{key}");
        values.get(&name).ok_or(Trouble::NoValue(name))
    };
    match function {
        Function::Lc => lc(inside),
        Function::Ber => ber(inside),
        Function::Flip => {
            let mut flipped = inside.to_vec();
            *flipped.last_mut().ok_or(Trouble::NotComputable("flip needs at least one byte"))? ^= 1;
            Ok(flipped)
        }
        Function::Encrypt(key) => oracle::encrypt(named("algorithm", key)?, named("key", key)?, inside)
            .ok_or(Trouble::NotComputable("encrypt needs a key and a block of its algorithm's lengths")),
        Function::Decrypt(key) => oracle::decrypt(named("algorithm", key)?, named("key", key)?, inside)
            .ok_or(Trouble::NotComputable("decrypt needs a key and a block of its algorithm's lengths")),
        Function::Ecdh(key) => oracle::ecdh(named("public", key)?, inside)
            .ok_or(Trouble::NotComputable("ecdh needs a scalar and a point of the same curve")),
        Function::Take(count) => inside
            .get(..*count)
            .map(<[u8]>::to_vec)
            .ok_or(Trouble::NotComputable("take needs at least as many bytes as it takes")),
        Function::Skip(count) => inside
            .get(*count..)
            .map(<[u8]>::to_vec)
            .ok_or(Trouble::NotComputable("skip needs at least as many bytes as it skips")),
    }
}

fn lc(inside: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut out = match (u8::try_from(inside.len()), u16::try_from(inside.len())) {
        (Ok(0), _) => return Err(Trouble::NotComputable("lc needs at least one byte")),
        (Ok(short), _) => vec![short],
        (Err(_), Ok(long)) => [&[0][..], &long.to_be_bytes()].concat(),
        (Err(_), Err(_)) => return Err(Trouble::NotComputable("lc can count 65535 bytes")),
    };
    out.extend(inside);
    Ok(out)
}

fn ber(inside: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut out = ber_length(inside.len()).ok_or(Trouble::NotComputable("ber can count 65535 bytes"))?;
    out.extend(inside);
    Ok(out)
}

/// The shortest BER length field for `length` bytes (ISO 7816-4, 5.2.2.2).
fn ber_length(length: usize) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    Some(match length {
        0..=0x7F => vec![low],
        0x80..=0xFF => vec![0x81, low],
        _ => vec![0x82, high, low],
    })
}

/// The length that the field at the beginning of `bytes` tells, if it is the shortest form, and what follows it.
pub(crate) fn read_ber_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = match bytes {
        [length @ 0..=0x7F, rest @ ..] | [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    let field = bytes.len() - rest.len();
    (ber_length(length)?.len() == field).then_some((length, rest))
}

/// The pattern of an expected answer.
pub(super) fn resolve(items: &[Item], values: &Values) -> Result<Vec<Pattern>, Trouble> {
    let mut patterns = Vec::new();
    for item in items {
        let pattern = match item {
            Item::AnyByte => Pattern::AnyByte,
            Item::Any => Pattern::Any,
            Item::Keep(name, length) => Pattern::Keep(name.clone(), *length),
            Item::Call(Function::Ber, inside) => Pattern::Ber(resolve(inside, values)?),
            known => Pattern::Exact(bytes(std::slice::from_ref(known), values)?),
        };
        match (patterns.last_mut(), pattern) {
            (Some(Pattern::Exact(before)), Pattern::Exact(more)) => before.extend(more),
            (_, pattern) => patterns.push(pattern),
        }
    }
    Ok(patterns)
}

/// Whether `bytes` as a whole are what the patterns expect; what they keep is added to `kept`.
pub(super) fn matches(patterns: &[Pattern], bytes: &[u8], kept: &mut Vec<(String, Vec<u8>)>) -> bool {
    let Some((first, others)) = patterns.split_first() else {
        return bytes.is_empty();
    };
    match first {
        Pattern::Exact(exact) => {
            bytes.strip_prefix(&exact[..]).is_some_and(|rest| matches(others, rest, kept))
        }
        Pattern::AnyByte => bytes.split_first().is_some_and(|(_, rest)| matches(others, rest, kept)),
        Pattern::Any => (0..=bytes.len()).any(|taken| matches(others, &bytes[taken..], kept)),
        Pattern::Keep(name, length) => {
            let (least, most) = length.map_or((0, bytes.len()), |length| (length, length));
            (least..=most.min(bytes.len())).any(|taken| {
                let mark = kept.len();
                kept.push((name.clone(), bytes[..taken].to_vec()));
                let fits = matches(others, &bytes[taken..], kept);
                if !fits {
                    kept.truncate(mark);
                }
                fits
            })
        }
        Pattern::Ber(inside) => {
            let Some((length, rest)) = read_ber_length(bytes) else { return false };
            let Some((value, rest)) = rest.split_at_checked(length) else { return false };
            let mark = kept.len();
            let fits = matches(inside, value, kept) && matches(others, rest, kept);
            if !fits {
                kept.truncate(mark);
            }
            fits
        }
    }
}

/// The patterns as a reader writes them.
pub(super) fn show(patterns: &[Pattern]) -> String {
    let mut out = String::new();
    for pattern in patterns {
        if !out.is_empty() {
            out.push(' ');
        }
        // Writing to a String cannot fail.
        let _ = match pattern {
            Pattern::Exact(bytes) => write!(out, "{}", spaced(bytes)),
            Pattern::AnyByte => write!(out, "??"),
            Pattern::Any => write!(out, ".."),
            Pattern::Keep(name, Some(length)) => write!(out, "{{{name}:{length}}}"),
            Pattern::Keep(name, None) => write!(out, "{{{name}:*}}"),
            Pattern::Ber(inside) => write!(out, "ber( {} )", show(inside)),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{ber_length, bytes, matches, read_ber_length, resolve, show};
    use crate::scenario::error::Trouble;
    use crate::scenario::expression::{Place, parse};
    use crate::scenario::{Item, Values};

    fn values() -> Values {
        let mut values = Values::default();
        values.set("abc".into(), vec![0x0A, 0x0B, 0x0C]);
        values.set("algorithm-9B".into(), vec![0x08]);
        values.set("key-9B".into(), (0..16).collect());
        values
    }

    fn input(text: &str) -> Vec<Item> {
        parse(text, Place::Input).unwrap()
    }

    #[test]
    fn expressions_give_bytes() {
        // The AES block is the one of facts/VECTORS.md section 5.
        let rows = [
            ("00 {abc} 01", "000a0b0c01"),
            ("lc( {abc} )", "030a0b0c"),
            ("take(4, lc( 00*256 ))", "00010000"),
            ("take(2, lc( 00*255 ))", "ff00"),
            ("7C ber( 82 ber() )", "7c028200"),
            ("take(3, ber( 11*128 ))", "818011"),
            ("take(3, ber( 11*300 ))", "82012c"),
            ("take(2, {abc}) skip(2, {abc})", "0a0b0c"),
            ("flip( {abc} )", "0a0b0d"),
            ("encrypt(9B, 0102030405060708090A0B0C0D0E0F10)", "0892085605be8f349f584af993df11f8"),
            ("decrypt(9B, 0892085605BE8F349F584AF993DF11F8)", "0102030405060708090a0b0c0d0e0f10"),
        ];
        for (text, expected) in rows {
            assert_eq!(hex::encode(bytes(&input(text), &values()).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_computed_says_why() {
        for text in
            ["lc()", "flip()", "take(4, {abc})", "skip(4, {abc})", "encrypt(9B, 00)", "decrypt(9B, 00)"]
        {
            let trouble = bytes(&input(text), &values()).unwrap_err();
            assert!(matches!(trouble, Trouble::NotComputable(_)), "{text}: {trouble:?}");
        }
        for (text, name) in [("{d}", "d"), ("encrypt(9A, 00)", "algorithm-9A"), ("ecdh(9D, 00)", "public-9D")]
        {
            assert_eq!(bytes(&input(text), &values()), Err(Trouble::NoValue(name.into())), "{text}");
        }
    }

    #[test]
    fn answers_match_or_not() {
        let rows = [
            ("90 00", "9000", true),
            ("90 00", "900000", false),
            ("90 00", "90", false),
            (".. 90 00", "9000", true),
            (".. 90 00", "900090009000", true),
            ("53 .. 90 00", "54009000", false),
            ("63 ??", "63c2", true),
            ("63 ??", "63", false),
            ("{abc} 90 00", "0a0b0c9000", true),
            ("53 ber( .. ) 90 00", "530201029000", true),
            ("53 ber( .. ) 90 00", "530301029000", false),
            ("53 ber( 01 ?? ) 90 00", "530201029000", true),
            ("53 ber( 01 ) 90 00", "530201029000", false),
            ("53 ber( .. ) 90 00", "53810201029000", false),
            ("53 ber() 90 00", "53009000", true),
        ];
        for (text, answer, expected) in rows {
            let patterns = resolve(&parse(text, Place::Answer).unwrap(), &values()).unwrap();
            let answer = hex::decode(answer).unwrap();
            assert_eq!(matches(&patterns, &answer, &mut Vec::new()), expected, "{text}");
        }
    }

    #[test]
    fn answers_keep_what_they_are_told_to() {
        let pattern = "7C ber( 81 ber( {challenge:*} ) 82 {two:2} ) {status:2}";
        let patterns = resolve(&parse(pattern, Place::Answer).unwrap(), &Values::default()).unwrap();
        let mut kept = Vec::new();
        assert!(matches(
            &patterns,
            &hex::decode("7c0781020102820304 9000".replace(' ', "")).unwrap(),
            &mut kept
        ));
        let kept: Vec<_> = kept.iter().map(|(name, value)| (&name[..], hex::encode(value))).collect();
        assert_eq!(
            kept,
            [("challenge", "0102".to_owned()), ("two", "0304".to_owned()), ("status", "9000".to_owned())]
        );
        assert_eq!(show(&patterns), "7C ber( 81 ber( {challenge:*} ) 82 {two:2} ) {status:2}");
    }

    #[test]
    fn lengths_are_the_shortest() {
        for (length, field) in
            [(0, "00"), (127, "7f"), (128, "8180"), (255, "81ff"), (256, "820100"), (0xFFFF, "82ffff")]
        {
            assert_eq!(hex::encode(ber_length(length).unwrap()), field);
            assert_eq!(read_ber_length(&hex::decode(field).unwrap()), Some((length, &[][..])));
        }
        assert_eq!(ber_length(0x1_0000), None);
        for field in ["", "80", "817f", "8200ff", "81", "8201", "83010000"] {
            assert_eq!(read_ber_length(&hex::decode(field).unwrap()), None, "{field}");
        }
    }
}
