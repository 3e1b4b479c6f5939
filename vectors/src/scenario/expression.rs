//! Expressions of a scenario: bytes that are written, kept from an answer, or computed.
//!
//! | written | means |
//! |---|---|
//! | `00A4 04 00` | these bytes |
//! | `A5*256` | the byte, that many times |
//! | `"123456"` | the text's ASCII bytes |
//! | `{name}` | a value that was set or kept before |
//! | `{name:16}`, `{name:*}` | answers only: keep 16 bytes, any bytes, under this name |
//! | `..`, `??` | answers only: any bytes, any one byte |
//! | `lc( … )` | the bytes after their Lc: one byte, or `00` and two bytes above 255 (ISO 7816-4, 5.2) |
//! | `ber( … )` | the bytes after their BER length; in an answer the length must be the shortest form |
//! | `encrypt(9B, …)`, `decrypt(9B, …)` | one block under `key-9B`, algorithm `algorithm-9B` |
//! | `ecdh(9D, …)` | X-coordinate of the scalar times `public-9D` |
//! | `take(8, …)`, `skip(8, …)` | the first 8 bytes, all but the first 8 |
//! | `flip( … )` | the bytes with the last bit inverted |

use super::error::Reason;

/// One part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Bytes as written.
    Bytes(Vec<u8>),
    /// The value of this name.
    Value(String),
    /// Keeps this many bytes, or any number, under a name.
    Keep(String, Option<usize>),
    /// Any one byte.
    AnyByte,
    /// Any bytes, also none.
    Any,
    /// A function of the expression in its brackets.
    Call(Function, Vec<Item>),
}

/// What a function does with its expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    /// Puts the Lc field before it.
    Lc,
    /// Puts the BER length before it.
    Ber,
    /// Inverts its last bit.
    Flip,
    /// Encrypts it with the symmetric key of this reference.
    Encrypt(String),
    /// Decrypts it with the symmetric key of this reference.
    Decrypt(String),
    /// Takes it as a scalar and agrees with the public key of this reference.
    Ecdh(String),
    /// Keeps that many bytes from its beginning.
    Take(usize),
    /// Drops that many bytes from its beginning.
    Skip(usize),
}

/// Where an expression stands, which decides what it may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// What is sent, set or computed with.
    Input,
    /// What is expected.
    Answer,
}

/// The expression that `text` writes.
pub(super) fn parse(text: &str, place: Place) -> Result<Vec<Item>, Reason> {
    let mut cursor = Cursor { rest: text, place };
    let items = cursor.items()?;
    match cursor.rest.chars().next() {
        None => Ok(items),
        Some(stray) => Err(Reason::Stray(stray)),
    }
}

/// A call `name(word, expression, …)`, whose first argument is a word if `with_word`.
pub(super) fn parse_call(text: &str, with_word: bool) -> Result<(String, Vec<Vec<Item>>), Reason> {
    let mut cursor = Cursor { rest: text, place: Place::Input };
    cursor.expect('(')?;
    let mut word = String::new();
    let mut arguments = Vec::new();
    if with_word {
        word = cursor.word();
    } else {
        arguments.push(cursor.items()?);
    }
    while cursor.skip_if(',') {
        arguments.push(cursor.items()?);
    }
    cursor.expect(')')?;
    match cursor.rest.trim().chars().next() {
        None => Ok((word, arguments)),
        Some(stray) => Err(Reason::Stray(stray)),
    }
}

struct Cursor<'a> {
    rest: &'a str,
    place: Place,
}

impl Cursor<'_> {
    /// Items up to the end, a comma or a closing bracket.
    fn items(&mut self) -> Result<Vec<Item>, Reason> {
        let mut items = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.chars().next() {
                None | Some(')' | ',') => return Ok(items),
                Some('"') => items.push(self.text()?),
                Some('{') => items.push(self.name()?),
                Some('.') => items.push(self.wildcard("..", Item::Any)?),
                Some('?') => items.push(self.wildcard("??", Item::AnyByte)?),
                Some(_) => items.push(self.hex_or_call()?),
            }
        }
    }

    fn text(&mut self) -> Result<Item, Reason> {
        let (text, rest) = self.rest[1..].split_once('"').ok_or(Reason::Open('"'))?;
        self.rest = rest;
        if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(Reason::NotAscii(text.to_owned()));
        }
        Ok(Item::Bytes(text.as_bytes().to_vec()))
    }

    fn name(&mut self) -> Result<Item, Reason> {
        let (inside, rest) = self.rest[1..].split_once('}').ok_or(Reason::Open('{'))?;
        self.rest = rest;
        let (name, length) = match inside.split_once(':') {
            None => (inside, None),
            Some((name, length)) => (name, Some(length)),
        };
        if !is_name(name) {
            return Err(Reason::Name(name.to_owned()));
        }
        match length {
            None => Ok(Item::Value(name.to_owned())),
            Some(_) if self.place == Place::Input => Err(Reason::AnswersOnly(inside.to_owned())),
            Some("*") => Ok(Item::Keep(name.to_owned(), None)),
            Some(length) => Ok(Item::Keep(name.to_owned(), Some(count(length)?))),
        }
    }

    fn wildcard(&mut self, sign: &str, item: Item) -> Result<Item, Reason> {
        let Some(rest) = self.rest.strip_prefix(sign) else {
            return Err(Reason::Stray(if sign == ".." { '.' } else { '?' }));
        };
        if self.place == Place::Input {
            return Err(Reason::AnswersOnly(sign.to_owned()));
        }
        self.rest = rest;
        Ok(item)
    }

    fn hex_or_call(&mut self) -> Result<Item, Reason> {
        let word = self.word();
        match self.rest.chars().next() {
            _ if word.is_empty() => Err(Reason::Stray(self.rest.chars().next().unwrap_or(' '))),
            Some('(') => self.call(&word),
            Some('*') => {
                self.rest = &self.rest[1..];
                let times = count(&self.word())?;
                Ok(Item::Bytes(hex_bytes(&word)?.repeat(times)))
            }
            _ => Ok(Item::Bytes(hex_bytes(&word)?)),
        }
    }

    fn call(&mut self, name: &str) -> Result<Item, Reason> {
        self.expect('(')?;
        let function = match name {
            "lc" if self.place == Place::Answer => return Err(Reason::CommandsOnly),
            "lc" => Function::Lc,
            "ber" => Function::Ber,
            "flip" => Function::Flip,
            "encrypt" => Function::Encrypt(self.word_and_comma()?),
            "decrypt" => Function::Decrypt(self.word_and_comma()?),
            "ecdh" => Function::Ecdh(self.word_and_comma()?),
            "take" => Function::Take(count(&self.word_and_comma()?)?),
            "skip" => Function::Skip(count(&self.word_and_comma()?)?),
            _ => return Err(Reason::Function(name.to_owned())),
        };
        let place = self.place;
        if function != Function::Ber {
            // A computed value must be known before the answer comes.
            self.place = Place::Input;
        }
        let inside = self.items()?;
        self.place = place;
        self.expect(')')?;
        Ok(Item::Call(function, inside))
    }

    fn word_and_comma(&mut self) -> Result<String, Reason> {
        let word = self.word();
        self.expect(',')?;
        Ok(word)
    }

    fn word(&mut self) -> String {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn skip_if(&mut self, wanted: char) -> bool {
        match self.rest.trim_start().strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), Reason> {
        if self.skip_if(wanted) { Ok(()) } else { Err(Reason::Missing(wanted)) }
    }
}

/// Whether `name` can stand for a value: letters, digits and hyphens.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A decimal number of bytes or times.
pub(super) fn count(text: &str) -> Result<usize, Reason> {
    match text.parse() {
        Ok(number @ 1..=0xFFFF) => Ok(number),
        _ => Err(Reason::Count(text.to_owned())),
    }
}

fn hex_bytes(word: &str) -> Result<Vec<u8>, Reason> {
    hex::decode(word).map_err(|_| Reason::Hex(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Function, Item, Place, parse};
    use crate::scenario::error::Reason;

    #[test]
    fn every_form_is_read() {
        let bytes = |bytes: &[u8]| Item::Bytes(bytes.to_vec());
        let rows: &[(&str, &[Item])] = &[
            ("", &[]),
            ("00A4 04", &[bytes(&[0x00, 0xA4]), bytes(&[0x04])]),
            ("5C*3", &[bytes(&[0x5C; 3])]),
            ("\"12 a\"", &[bytes(b"12 a")]),
            ("{key-9B}", &[Item::Value("key-9B".into())]),
            ("{c:16}", &[Item::Keep("c".into(), Some(16))]),
            ("{c:*} ..", &[Item::Keep("c".into(), None), Item::Any]),
            ("?? ??", &[Item::AnyByte, Item::AnyByte]),
            ("lc( 01 )00", &[]),
            (
                "ber(ber( .. ))",
                &[Item::Call(Function::Ber, vec![Item::Call(Function::Ber, vec![Item::Any])])],
            ),
            ("take(8, {x})", &[Item::Call(Function::Take(8), vec![Item::Value("x".into())])]),
            ("encrypt( 9B , 00 )", &[Item::Call(Function::Encrypt("9B".into()), vec![bytes(&[0])])]),
        ];
        for (text, expected) in rows {
            if text.starts_with("lc") {
                let lc = Item::Call(Function::Lc, vec![bytes(&[1])]);
                assert_eq!(parse(text, Place::Input).unwrap(), [lc, bytes(&[0])], "{text}");
            } else {
                assert_eq!(parse(text, Place::Answer).unwrap(), *expected, "{text}");
            }
        }
    }

    #[test]
    fn bad_expressions_are_refused_with_their_reason() {
        let rows = [
            ("0", Reason::Hex("0".into())),
            ("0G", Reason::Hex("0G".into())),
            ("00*0", Reason::Count("0".into())),
            ("00*65536", Reason::Count("65536".into())),
            ("\"12", Reason::Open('"')),
            ("\"é\"", Reason::NotAscii("é".into())),
            ("{x", Reason::Open('{')),
            ("{}", Reason::Name(String::new())),
            ("{a b}", Reason::Name("a b".into())),
            ("{a:}", Reason::Count(String::new())),
            (".", Reason::Stray('.')),
            ("?", Reason::Stray('?')),
            ("00)", Reason::Stray(')')),
            ("00, 01", Reason::Stray(',')),
            ("<", Reason::Stray('<')),
            ("ber( 00", Reason::Missing(')')),
            ("take 8", Reason::Hex("take".into())),
            ("take(8)", Reason::Missing(',')),
            ("take(x, 00)", Reason::Count("x".into())),
            ("encrypt(9B)", Reason::Missing(',')),
            ("sign(9A, 00)", Reason::Function("sign".into())),
            ("lc( 00 )", Reason::CommandsOnly),
            ("flip( .. )", Reason::AnswersOnly("..".into())),
        ];
        for (text, reason) in rows {
            assert_eq!(parse(text, Place::Answer).unwrap_err(), reason, "{text}");
        }
        for text in ["..", "??", "{x:2}", "{x:*}", "ber( .. )"] {
            assert!(matches!(parse(text, Place::Input), Err(Reason::AnswersOnly(_))), "{text}");
        }
    }
}
