//! Reading a card: commands that change nothing, and that any reader may send.
//!
//! | what | command | clause |
//! |---|---|---|
//! | PIV application, its objects, tries of the PIN | SELECT, GET DATA, VERIFY without data | SP 800-73-5 part 2, 3.1 and 3.2.1 |
//! | firmware, serial number, keys, series of a YubiKey | GET VERSION, GET SERIAL, GET METADATA, READ CONFIG | Yubico's documentation |
//! | CAC containers | SELECT applet and object, READ BUFFER | GSC-IS 2.1, 5.3.3 |

use card_sim::{
    cac::ObjectId,
    key::{KeyReference, policy::Policy},
    object::Container,
};

use super::{KeyEntry, Original, YubiKey};
use crate::{
    check::{command, get_data},
    sm::transport::{Answer, Transport, whole_answer},
};

/// The PIV application without its version, which any version answers (SP 800-73-5 part 1, 2.2).
pub(crate) const PIV: [u8; 9] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00];

/// A YubiKey's management application.
const MANAGEMENT: [u8; 8] = [0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

/// The bit of the FIPS series in a form factor.
const FIPS_SERIES: u8 = 0x80;

/// What GET METADATA calls the fingerprint.
const FINGERPRINT: u8 = 0x96;

/// The RIDs of CAC applets, and the objects that each has. Every applet is named like its first object.
const APPLETS: [([u8; 5], &[&[u16]]); 2] = {
    const DOD: [u8; 5] = [0xA0, 0x00, 0x00, 0x00, 0x79];
    const GSC_IS: [u8; 5] = [0xA0, 0x00, 0x00, 0x01, 0x16];
    [
        (GSC_IS, &[&[0xDB00], &[0x3000, 0x6010, 0x6030, 0x9000]]),
        (
            DOD,
            &[
                &[0x0100],
                &[0x0101],
                &[0x0102],
                &[0x0200],
                &[0x0201],
                &[0x0202],
                &[0x0203],
                &[0x02FB],
                &[0x02FD],
                &[0x02FE],
                &[0x1201],
                &[0x1202],
            ],
        ),
    ]
};

/// Most bytes of a buffer that READ BUFFER gives at once. Some cards give no more than 255.
const PART: usize = 0xFF;

impl Original {
    /// Reads a card that has just been reset, so that no login of another program shows what needs one.
    pub fn read<T: Transport>(card: &mut T, atr: &[u8]) -> Result<Self, T::Error> {
        let mut original = Self { atr: atr.to_vec(), ..Self::default() };
        let selected = send(card, [0x00, 0xA4, 0x04, 0x00], &PIV)?;
        if selected.is_success() {
            original.selected = Some(selected.data.to_vec());
            original.yubikey = yubikey(card)?;
            for container in Container::all() {
                let found = get_data(card, container.tag.get())?;
                original.objects.insert(container.tag.get(), found);
            }
            let tries = whole_answer(card, &[0x00, 0x20, 0x00, 0x80])?.status;
            original.pin_tries = (tries & 0xFFF0 == 0x63C0).then_some(tries.to_be_bytes()[1] & 0x0F);
        }
        if let Some(yubikey) = &mut original.yubikey {
            // Firmware 4.4 was made for that series alone, and does not tell.
            yubikey.fips = matches!(yubikey.version, [4, 4, _]) || is_of_fips_series(card)?;
        }
        for (rid, applets) in APPLETS {
            for objects in applets {
                original.containers.extend(containers(card, rid, objects)?);
            }
        }
        Ok(original)
    }
}

fn send<T: Transport>(card: &mut T, header: [u8; 4], data: &[u8]) -> Result<Answer, T::Error> {
    whole_answer(card, &command(header, data))
}

fn yubikey<T: Transport>(card: &mut T) -> Result<Option<YubiKey>, T::Error> {
    let version = ask(card, 0xFD, 0x00)?;
    let Some(Ok(version)) = version.map(|version| <[u8; 3]>::try_from(version.as_slice())) else {
        return Ok(None);
    };
    let serial_number = ask(card, 0xF8, 0x00)?;
    let serial_number =
        serial_number.and_then(|number| number.as_slice().try_into().ok()).map(u32::from_be_bytes);
    let mut keys = Vec::new();
    for byte in 0x80..=0xFF {
        let asymmetric = |key: &KeyReference| {
            !matches!(
                key,
                KeyReference::CardManagement | KeyReference::SecureMessaging | KeyReference::Attestation
            )
        };
        let Some(reference) = KeyReference::from_byte(byte).filter(asymmetric) else { continue };
        if let Some(metadata) = ask(card, 0xF7, byte)? {
            keys.extend(key_entry(reference, &metadata));
        }
    }
    let fingerprint = ask(card, 0xF7, FINGERPRINT)?.is_some();
    Ok(Some(YubiKey { version, serial_number, keys, fips: false, fingerprint }))
}

/// Whether the management application calls this a key of the FIPS series: READ CONFIG, tag `04`.
fn is_of_fips_series<T: Transport>(card: &mut T) -> Result<bool, T::Error> {
    if !send(card, [0x00, 0xA4, 0x04, 0x00], &MANAGEMENT)?.is_success() {
        return Ok(false);
    }
    let config = ask(card, 0x1D, 0x00)?.unwrap_or_default();
    // One byte of length comes first.
    let elements = config.get(1..).unwrap_or_default();
    let form_factor = apdu::tlv_ber::Reader::new(elements).find(apdu::Tag::from(0x04_u8)).ok().flatten();
    Ok(form_factor.is_some_and(|form| matches!(form, [form] if form & FIPS_SERIES != 0)))
}

/// One of Yubico's questions; `None` if the card does not answer it.
fn ask<T: Transport>(card: &mut T, instruction: u8, p2: u8) -> Result<Option<Vec<u8>>, T::Error> {
    let answer = whole_answer(card, &[0x00, instruction, 0x00, p2, 0x00])?;
    Ok(answer.is_success().then(|| answer.data.to_vec()))
}

/// What GET METADATA says of a key.
fn key_entry(reference: KeyReference, metadata: &[u8]) -> Option<KeyEntry> {
    let value = |tag: u8| apdu::tlv_ber::Reader::new(metadata).find(apdu::Tag::from(tag)).ok().flatten();
    let usual = Policy::default().for_key(reference);
    let usual = [usual.pin.to_byte(), usual.touch.to_byte()];
    Some(KeyEntry {
        reference,
        algorithm: *value(0x01)?.first()?,
        has_policies: value(0x02).is_some_and(|policies| policies != usual),
    })
}

/// The containers of an applet that can be read.
pub(crate) fn containers<T: Transport>(
    card: &mut T,
    rid: [u8; 5],
    objects: &[u16],
) -> Result<Vec<(ObjectId, Vec<u8>)>, T::Error> {
    let mut containers = Vec::new();
    let applet = objects.first().copied().unwrap_or_default().to_be_bytes();
    if !send(card, [0x00, 0xA4, 0x04, 0x00], &[&rid[..], &applet].concat())?.is_success() {
        return Ok(containers);
    }
    for object in objects {
        let Some(id) = ObjectId::new(*object) else { continue };
        if !send(card, [0x00, 0xA4, 0x02, 0x00], &object.to_be_bytes())?.is_success() {
            continue;
        }
        let tags = read_buffer(card, 0x01)?;
        let values = read_buffer(card, 0x02)?;
        if let (Some(tags), Some(values)) = (tags, values)
            && tags.len() > 2
        {
            containers.push((id, [tags, values].concat()));
        }
    }
    Ok(containers)
}

/// The whole T or V buffer of the selected object with its length; `None` if it may not be read.
fn read_buffer<T: Transport>(card: &mut T, kind: u8) -> Result<Option<Vec<u8>>, T::Error> {
    let mut buffer = Vec::new();
    loop {
        let wanted = match buffer.as_slice() {
            [] => 2,
            [low, high, read @ ..] => {
                usize::from(u16::from_le_bytes([*low, *high])).saturating_sub(read.len())
            }
            [_] => return Ok(None),
        };
        if wanted == 0 {
            return Ok(Some(buffer));
        }
        let count = u8::try_from(wanted.min(PART)).unwrap_or(u8::MAX);
        let [high, low] = u16::try_from(buffer.len()).unwrap_or(u16::MAX).to_be_bytes();
        let answer = send(card, [0x80, 0x52, high, low], &[kind, count])?;
        if !answer.is_success() || answer.data.is_empty() {
            return Ok(None);
        }
        buffer.extend_from_slice(&answer.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_tell_algorithm_and_policies() {
        let entry = |metadata: &[u8]| key_entry(KeyReference::DigitalSignature, metadata);
        let usual = entry(&[0x01, 0x01, 0x11, 0x02, 0x02, 0x03, 0x01, 0x03, 0x01, 0x01]).unwrap();
        assert_eq!((usual.algorithm, usual.has_policies), (0x11, false));
        let other = entry(&[0x01, 0x01, 0x07, 0x02, 0x02, 0x03, 0x02]).unwrap();
        assert_eq!((other.algorithm, other.has_policies), (0x07, true));
        for wrong in [&[][..], &[0x02, 0x02, 0x03, 0x01], &[0x01, 0x00], &[0x01, 0x05, 0x11]] {
            assert_eq!(entry(wrong), None, "{wrong:02X?}");
        }
    }

    /// A card that answers READ BUFFER with parts of what it has, of at most so many bytes.
    struct Buffer(Vec<u8>, usize);

    impl Transport for Buffer {
        type Error = std::convert::Infallible;

        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Self::Error> {
            let offset = usize::from(u16::from_be_bytes([command[2], command[3]]));
            let rest = &self.0[offset.min(self.0.len())..];
            let part = &rest[..rest.len().min(usize::from(command[6])).min(self.1)];
            Ok([part, &[0x90, 0x00]].concat())
        }
    }

    #[test]
    fn buffers_are_read_in_parts_and_never_for_ever() {
        let whole: Vec<u8> = [&[0x2C, 0x01][..], &[7; 300]].concat();
        for part in [1, 2, 100, 255] {
            assert_eq!(
                read_buffer(&mut Buffer(whole.clone(), part), 2).unwrap().as_ref(),
                (part > 1).then_some(&whole)
            );
        }
        // A card that promises more than it has.
        assert_eq!(read_buffer(&mut Buffer(whole[..100].to_vec(), 255), 2).unwrap(), None);
        assert_eq!(read_buffer(&mut Buffer(vec![0, 0], 255), 2).unwrap(), Some(vec![0, 0]));
    }
}
