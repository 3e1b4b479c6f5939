//! A host's half of secure messaging (SP 800-73-5 part 2, section 4), written apart from the card's.
//!
//! Everything returns `None` for what does not fit or does not verify.

use aes::{
    Aes128, Aes256,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use cmac::{Cmac, Mac};
use sha2::{Digest, Sha256, Sha384};

use super::ecdh;

/// A session as a host sees it.
#[derive(Clone, Debug)]
pub struct Host {
    code_key: Vec<u8>,
    encryption_key: Vec<u8>,
    answer_code_key: Vec<u8>,
    counter: u128,
    command_chain: [u8; 16],
    answer_chain: [u8; 16],
}

/// The host's identifier.
const ID: [u8; 8] = *b"VECTORS!";

/// GENERAL AUTHENTICATE that asks for a session: algorithm `27` with a P-256 point, `2E` with a P-384 point.
pub fn request(algorithm: u8, point: &[u8]) -> Option<Vec<u8>> {
    let challenge = [&[0x00][..], &ID, point].concat();
    let template = [&[0x81, u8::try_from(challenge.len()).ok()?], &challenge[..], &[0x82, 0x00]].concat();
    let data = [&[0x7C, u8::try_from(template.len()).ok()?], &template[..]].concat();
    Some([&[0x00, 0x87, algorithm, 0x04, u8::try_from(data.len()).ok()?], &data[..], &[0x00]].concat())
}

impl Host {
    /// The session that the card's answer to [`request`] made; `None` unless the card proves its key.
    pub fn established(algorithm: u8, scalar: &[u8], point: &[u8], answer: &[u8]) -> Option<Self> {
        let certificate = Proof::parse(algorithm, answer)?.certificate;
        let z = ecdh(card_point(certificate, point.len())?, scalar)?;
        Self::established_with(algorithm, &z, point, answer)
    }

    /// The same with the secret that the two keys share.
    pub fn established_with(algorithm: u8, z: &[u8], point: &[u8], answer: &[u8]) -> Option<Self> {
        let (identifier, key_length) = if algorithm == 0x27 { (0x09, 16) } else { (0x0D, 32) };
        let Proof { control, nonce, cryptogram, certificate } = Proof::parse(algorithm, answer)?;
        let card_id = Sha256::digest(certificate);
        let card_id = card_id.get(..8)?;
        let coordinates = point.get(1..)?;
        let nonce_length = u8::try_from(nonce.len()).ok()?;
        let information = [
            &[0x04, identifier, identifier, identifier, identifier, 0x08],
            &ID[..],
            &[0x01, 0x00, 0x10],
            coordinates.get(..16)?,
            &[0x08],
            card_id,
            &[nonce_length],
            nonce,
            &[0x01, control],
        ]
        .concat();
        let keys: Vec<u8> = (1..=3_u32)
            .flat_map(|round| {
                let input = [&round.to_be_bytes()[..], z, &information].concat();
                if algorithm == 0x27 {
                    Sha256::digest(input).to_vec()
                } else {
                    Sha384::digest(input).to_vec()
                }
            })
            .collect();
        let mut keys = keys.chunks_exact(key_length).map(<[u8]>::to_vec);
        let expected = code(&keys.next()?, &[b"KC_1_V", card_id, &ID, coordinates].concat());
        (control == 0 && expected == *cryptogram).then_some(())?;
        Some(Self {
            code_key: keys.next()?,
            encryption_key: keys.next()?,
            answer_code_key: keys.next()?,
            counter: 1,
            command_chain: [0; 16],
            answer_chain: [0; 16],
        })
    }

    /// The protected form of a plain command, with an extended length where it needs one.
    pub fn protect(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let (header, data, le) = parts(command)?;
        let mut body = Vec::new();
        if !data.is_empty() {
            let mut padded = [data, &[0x80]].concat();
            padded.resize(padded.len().next_multiple_of(16), 0);
            body.extend(element(0x87, &[&[0x01], &self.encrypted(&padded)[..]].concat()));
        }
        if le {
            body.extend([0x97, 0x01, 0x00]);
        }
        let code = self.code_of(header, &body);
        wrapped(header, &[&body[..], &[0x8E, 0x08], &code].concat())
    }

    /// Whole blocks as a command of this moment has them.
    pub fn encrypted(&self, blocks: &[u8]) -> Vec<u8> {
        let mut blocks = blocks.to_vec();
        let mut before = self.initial(0x00);
        for block in blocks.as_chunks_mut::<16>().0 {
            *block = encrypt(&self.encryption_key, xor(*block, before));
            before = *block;
        }
        blocks
    }

    /// The code over a command's objects, which is the last of its objects. The session goes on from it.
    pub fn code_of(&mut self, header: [u8; 4], body: &[u8]) -> [u8; 8] {
        let mut block = [0; 16];
        block[0] = 0x0C;
        block[1..4].copy_from_slice(&header[1..]);
        block[4] = 0x80;
        self.command_chain = code(&self.code_key, &[&self.command_chain[..], &block, body].concat());
        std::array::from_fn(|index| self.command_chain[index])
    }

    /// What is inside a protected answer: data and status word.
    pub fn open(&mut self, answer: &[u8]) -> Option<Vec<u8>> {
        let (protected, last) = answer.split_at_checked(answer.len().checked_sub(10)?)?;
        let chain = code(&self.answer_code_key, &[&self.answer_chain[..], protected].concat());
        (last == [&[0x8E, 0x08], &chain[..8]].concat()).then_some(())?;
        let (cryptogram, status) = protected.split_at_checked(protected.len().checked_sub(4)?)?;
        let &[0x99, 0x02, high, low] = status else { return None };
        let mut plain = Vec::new();
        if !cryptogram.is_empty() {
            let (&1, blocks) = value(cryptogram, 0x87)?.split_first()? else { return None };
            let mut before = self.initial(0x80);
            for block in blocks.as_chunks::<16>().0 {
                plain.extend(xor(decrypt(&self.encryption_key, *block), before));
                before = *block;
            }
            let end = plain.iter().rposition(|byte| *byte != 0)?;
            (plain[end] == 0x80).then_some(())?;
            plain.truncate(end);
        }
        self.answer_chain = chain;
        self.counter += 1;
        plain.extend([high, low]);
        Some(plain)
    }

    fn initial(&self, top: u8) -> [u8; 16] {
        let mut counter = self.counter.to_be_bytes();
        counter[0] |= top;
        encrypt(&self.encryption_key, counter)
    }
}

/// What the card answers to [`request`].
struct Proof<'a> {
    control: u8,
    nonce: &'a [u8],
    cryptogram: &'a [u8; 16],
    certificate: &'a [u8],
}

impl<'a> Proof<'a> {
    fn parse(algorithm: u8, answer: &'a [u8]) -> Option<Self> {
        let nonce_length = match algorithm {
            0x27 => 16,
            0x2E => 24,
            _ => return None,
        };
        let contents = value(value(answer, 0x7C)?, 0x82)?;
        let (&control, rest) = contents.split_first()?;
        let (nonce, rest) = rest.split_at_checked(nonce_length)?;
        let (cryptogram, certificate) = rest.split_first_chunk()?;
        Some(Self { control, nonce, cryptogram, certificate })
    }
}

/// The objects of a protected command as its data field.
pub fn wrapped(header: [u8; 4], objects: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(objects.len()).ok()?.to_be_bytes();
    let header = [0x0C, header[1], header[2], header[3]];
    Some(match length {
        [0, length] => [&header[..], &[length], objects, &[0x00]].concat(),
        _ => [&header[..], &[0x00], &length, objects, &[0x00, 0x00]].concat(),
    })
}

/// Header, data field and whether an Le follows.
fn parts(command: &[u8]) -> Option<([u8; 4], &[u8], bool)> {
    let (header, body) = command.split_first_chunk()?;
    let (length, rest) = match body {
        [] | [_] => return Some((*header, &[], !body.is_empty())),
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
    };
    let (data, le) = rest.split_at_checked(length)?;
    Some((*header, data, !le.is_empty()))
}

/// The value of the first element, if it has this tag.
fn value(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (length, rest) = match bytes {
        [found, ..] if *found != tag => return None,
        [_, 0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [_, 0x81, length, rest @ ..] | [_, length, rest @ ..] => (usize::from(*length), rest),
        _ => return None,
    };
    rest.get(..length)
}

/// An element: tag, shortest length, value.
pub fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes();
    let header = match value.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&header[..], value].concat()
}

/// The point in a card-verifiable certificate: `86 L 04 …`.
fn card_point(certificate: &[u8], length: usize) -> Option<&[u8]> {
    let start = [0x86, u8::try_from(length).ok()?, 0x04];
    let at = certificate.windows(3).position(|window| window == start)?;
    certificate.get(at + 2..at + 2 + length)
}

fn xor(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    std::array::from_fn(|index| a[index] ^ b[index])
}

fn encrypt(key: &[u8], block: [u8; 16]) -> [u8; 16] {
    let mut block = block.into();
    match Aes128::new_from_slice(key) {
        Ok(cipher) => cipher.encrypt_block(&mut block),
        Err(_) => Aes256::new_from_slice(key).expect("keys have 16 or 32 bytes").encrypt_block(&mut block),
    }
    block.into()
}

fn decrypt(key: &[u8], block: [u8; 16]) -> [u8; 16] {
    let mut block = block.into();
    match Aes128::new_from_slice(key) {
        Ok(cipher) => cipher.decrypt_block(&mut block),
        Err(_) => Aes256::new_from_slice(key).expect("keys have 16 or 32 bytes").decrypt_block(&mut block),
    }
    block.into()
}

fn code(key: &[u8], message: &[u8]) -> [u8; 16] {
    match <Cmac<Aes128> as KeyInit>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        Err(_) => <Cmac<Aes256> as KeyInit>::new_from_slice(key)
            .expect("keys have 16 or 32 bytes")
            .chain_update(message)
            .finalize()
            .into_bytes()
            .into(),
    }
}
