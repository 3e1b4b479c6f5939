//! The attributes of a reader, as libccid and pcscd give them.

use super::device::Device;

// Names are those of `reader.h`.
const VENDOR_NAME: u32 = 0x0001_0100;
const VENDOR_IFD_VERSION: u32 = 0x0001_0102;
const VENDOR_IFD_SERIAL_NO: u32 = 0x0001_0103;
const CHANNEL_ID: u32 = 0x0002_0110;
const MAXINPUT: u32 = 0x0007_A007;
const ICC_PRESENCE: u32 = 0x0009_0300;
const ICC_INTERFACE_STATUS: u32 = 0x0009_0301;
const ATR_STRING: u32 = 0x0009_0303;
const DEVICE_FRIENDLY_NAME: u32 = 0x7FFF_0003;
const DEVICE_SYSTEM_NAME: u32 = 0x7FFF_0004;

/// The longest command APDU: header, three bytes of Lc, 65,535 bytes of data, two bytes of Le.
const LONGEST_COMMAND: u32 = 4 + 3 + 0xFFFF + 2;

/// The reader's release 1.00, as a USB device would give it in bcdDevice.
const RELEASE: u32 = 0x0100;

/// The value of an attribute; nothing if the reader does not have it.
pub(super) fn value(device: &Device, attribute: u32) -> Option<Vec<u8>> {
    let settings = &device.settings;
    let present = device.slot.is_present();
    Some(match attribute {
        VENDOR_NAME => text(&settings.vendor),
        VENDOR_IFD_VERSION => number(RELEASE << 16),
        VENDOR_IFD_SERIAL_NO => text(settings.serial.as_deref()?),
        // Channel 0x20 is USB; the bus is 0, and each reader is a device of its own on it.
        CHANNEL_ID => number(0x0020_0000 | (u32::from(device.index) + 1)),
        MAXINPUT => number(LONGEST_COMMAND),
        ICC_PRESENCE => vec![if present { 2 } else { 0 }],
        ICC_INTERFACE_STATUS => vec![u8::from(present)],
        ATR_STRING => device.slot.atr().to_vec(),
        DEVICE_FRIENDLY_NAME | DEVICE_SYSTEM_NAME => text(&device.name),
        _ => return None,
    })
}

/// Text ends with a NUL.
fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// Numbers are the host's.
fn number(number: u32) -> Vec<u8> {
    number.to_ne_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::ReaderSettings;

    #[test]
    fn attributes_of_an_empty_reader() {
        let mut settings = ReaderSettings::new("Desk");
        let plain = Device::new(1, 2, settings.clone());
        settings.serial = Some("4711".into());
        let numbered = Device::new(1, 2, settings);
        for (attribute, expected) in [
            (0x0001_0100, Some(b"vreader\0".to_vec())),
            (0x0001_0101, None),
            (0x0001_0102, Some(0x0100_0000_u32.to_ne_bytes().to_vec())),
            (0x0001_0103, None),
            (0x0002_0110, Some(0x0020_0003_u32.to_ne_bytes().to_vec())),
            (0x0007_A007, Some(65_544_u32.to_ne_bytes().to_vec())),
            (0x0009_0300, Some(vec![0])),
            (0x0009_0301, Some(vec![0])),
            (0x0009_0303, Some(vec![])),
            (0x7FFF_0003, Some(b"Desk 02 00\0".to_vec())),
            (0x7FFF_0004, Some(b"Desk 02 00\0".to_vec())),
            // What the pcsc crate sends for the friendly name.
            (0x0000_0003, None),
            (0, None),
            (u32::MAX, None),
        ] {
            assert_eq!(value(&plain, attribute), expected, "{attribute:08X}");
        }
        assert_eq!(value(&numbered, VENDOR_IFD_SERIAL_NO), Some(b"4711\0".to_vec()));
    }
}
