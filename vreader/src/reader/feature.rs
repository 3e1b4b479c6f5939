//! The control codes of a reader: what it can do, and how it is told to (PC/SC part 10, 2.2).
//!
//! Codes and their numbering are libccid's. A reader without a key-pad offers its properties only.

use super::{PinPad, ReaderSettings, ReturnCode};

/// CM_IOCTL_GET_FEATURE_REQUEST.
const GET_FEATURE_REQUEST: u32 = 0x4200_0D48;

/// The control code of a feature is this and its tag.
const FEATURE_CODES: u32 = 0x4233_0000;

const VERIFY_PIN_DIRECT: u8 = 0x06;
const MODIFY_PIN_DIRECT: u8 = 0x07;
const IFD_PIN_PROPERTIES: u8 = 0x0A;
const GET_TLV_PROPERTIES: u8 = 0x12;

/// The features of a reader, by tag, in the order in which they are listed; `true`: only with a key-pad.
const FEATURES: [(u8, bool); 4] = [
    (VERIFY_PIN_DIRECT, true),
    (MODIFY_PIN_DIRECT, true),
    (IFD_PIN_PROPERTIES, true),
    (GET_TLV_PROPERTIES, false),
];

/// An entry ends when the validation key is pressed, when the longest PIN is complete, or when the time is over.
const ENTRY_VALIDATION: u8 = 0x07;

/// The shortest and the longest PIN that the key-pad takes.
const PIN_SIZES: (u8, u8) = (4, 16);

/// USB vendor and product: the numbers that pid.codes keeps for tests.
const USB: (u16, u16) = (0x1209, 0x0001);

/// What a control code asks for.
pub(super) enum Feature<'a> {
    /// An answer of the reader itself.
    Answer(Vec<u8>),
    /// Verification of a PIN that is entered at the key-pad.
    VerifyPin(&'a PinPad),
    /// Change of a PIN, old and new entered at the key-pad.
    ModifyPin(&'a PinPad),
}

/// Understands a control code.
pub(super) fn ask(settings: &ReaderSettings, code: u32) -> Result<Feature<'_>, ReturnCode> {
    if code == GET_FEATURE_REQUEST {
        return Ok(Feature::Answer(list(settings)));
    }
    let offered = FEATURES
        .iter()
        .find(|(tag, needs_pin_pad)| code == code_of(*tag) && (!needs_pin_pad || settings.pin_pad.is_some()));
    match (offered, &settings.pin_pad) {
        (Some((VERIFY_PIN_DIRECT, _)), Some(pin_pad)) => Ok(Feature::VerifyPin(pin_pad)),
        (Some((MODIFY_PIN_DIRECT, _)), Some(pin_pad)) => Ok(Feature::ModifyPin(pin_pad)),
        (Some((IFD_PIN_PROPERTIES, _)), _) => Ok(Feature::Answer(pin_properties())),
        (Some((GET_TLV_PROPERTIES, _)), _) => Ok(Feature::Answer(properties(settings))),
        _ => Err(ReturnCode::UnsupportedFeature),
    }
}

fn code_of(tag: u8) -> u32 {
    FEATURE_CODES + u32::from(tag)
}

/// All features: tag, length, control code in big-endian order.
fn list(settings: &ReaderSettings) -> Vec<u8> {
    let offered = FEATURES.iter().filter(|(_, needs_pin_pad)| !needs_pin_pad || settings.pin_pad.is_some());
    offered.flat_map(|(tag, _)| tlv(*tag, &code_of(*tag).to_be_bytes())).collect()
}

/// PIN_PROPERTIES_STRUCTURE: no display, how an entry ends, no second time-out.
fn pin_properties() -> Vec<u8> {
    vec![0, 0, ENTRY_VALIDATION, 0]
}

/// The properties of PC/SC part 10, 2.6.14, numbers in little-endian order.
fn properties(settings: &ReaderSettings) -> Vec<u8> {
    let firmware = concat!("vreader ", env!("CARGO_PKG_VERSION"));
    let pin_sizes = settings.pin_pad.as_ref().map(|_| PIN_SIZES);
    [
        tlv(0x01, &[0, 0]),
        tlv(0x03, &[0]),
        pin_sizes.map(|(shortest, _)| tlv(0x06, &[shortest])).unwrap_or_default(),
        pin_sizes.map(|(_, longest)| tlv(0x07, &[longest])).unwrap_or_default(),
        tlv(0x08, firmware.as_bytes()),
        tlv(0x0A, &settings.max_apdu_data.to_le_bytes()),
        tlv(0x0B, &USB.0.to_le_bytes()),
        tlv(0x0C, &USB.1.to_le_bytes()),
    ]
    .concat()
}

/// A value of less than 256 bytes, which all of these are.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [&[tag, length], value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(settings: &ReaderSettings, code: u32) -> Result<String, ReturnCode> {
        ask(settings, code).map(|feature| match feature {
            Feature::Answer(bytes) => hex::encode_upper(bytes),
            Feature::VerifyPin(_) => "verify".into(),
            Feature::ModifyPin(_) => "modify".into(),
        })
    }

    #[test]
    fn codes_with_and_without_a_key_pad() {
        let plain = ReaderSettings::new("Desk");
        let pad = ReaderSettings::new("Desk").with_pin_pad("123456");
        let firmware = hex::encode_upper(concat!("vreader ", env!("CARGO_PKG_VERSION")));
        let length = firmware.len() / 2;
        let usb = "0B020912 0C020100".replace(' ', "");
        let properties =
            |sizes: &str| Ok(format!("01020000030100{sizes}08{length:02X}{firmware}0A0400000100{usb}"));
        let unsupported = Err(ReturnCode::UnsupportedFeature);
        for (code, without, with) in [
            (
                0x4200_0D48,
                Ok("120442330012".into()),
                Ok("0604423300060704423300070A044233000A120442330012".into()),
            ),
            (0x4233_0006, unsupported.clone(), Ok("verify".into())),
            (0x4233_0007, unsupported.clone(), Ok("modify".into())),
            (0x4233_000A, unsupported.clone(), Ok("00000700".into())),
            (0x4233_0012, properties(""), properties("060104070110")),
            (0x4233_0013, unsupported.clone(), unsupported.clone()),
            (0x4200_0001, unsupported.clone(), unsupported.clone()),
            (0, unsupported.clone(), unsupported.clone()),
        ] {
            assert_eq!(answer(&plain, code), without, "{code:08X} without");
            assert_eq!(answer(&pad, code), with, "{code:08X} with");
        }
    }
}
