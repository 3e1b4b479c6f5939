//! Names for the numbers in commands: instructions, applications, keys, reference data, algorithms.

use card_sim::object::Container;

/// Instructions, of the PIV card application (SP 800-73-5 part 2, table 2), of ISO/IEC 7816-4, of GSC-IS 2.1, and of
/// YubiKeys, with class 00.
pub(super) const INSTRUCTIONS: [(u8, &str); 35] = [
    (0x20, "VERIFY"),
    (0x24, "CHANGE REFERENCE DATA"),
    (0x2C, "RESET RETRY COUNTER"),
    (0x47, "GENERATE ASYMMETRIC KEY PAIR"),
    (0x87, "GENERAL AUTHENTICATE"),
    (0xA4, "SELECT"),
    (0xC0, "GET RESPONSE"),
    (0xCB, "GET DATA"),
    (0xDB, "PUT DATA"),
    // ISO/IEC 7816-4.
    (0x0E, "ERASE BINARY"),
    (0x22, "MANAGE SECURITY ENVIRONMENT"),
    (0x2A, "PERFORM SECURITY OPERATION"),
    (0x44, "ACTIVATE FILE"),
    (0x70, "MANAGE CHANNEL"),
    (0x82, "EXTERNAL AUTHENTICATE"),
    (0x84, "GET CHALLENGE"),
    (0x88, "INTERNAL AUTHENTICATE"),
    (0xB0, "READ BINARY"),
    (0xB2, "READ RECORD"),
    (0xCA, "GET DATA"),
    (0xD6, "UPDATE BINARY"),
    (0xDA, "PUT DATA"),
    (0xE2, "APPEND RECORD"),
    // GSC-IS.
    (0x42, "SIGN/DECRYPT"),
    (0x4C, "GET ACR"),
    (0x52, "READ BUFFER"),
    (0x56, "GET PROPERTIES"),
    // Yubico.
    (0xF6, "MOVE KEY"),
    (0xF7, "GET METADATA"),
    (0xF8, "GET SERIAL"),
    (0xF9, "ATTEST"),
    (0xFB, "RESET"),
    (0xFD, "GET VERSION"),
    (0xFE, "IMPORT ASYMMETRIC KEY"),
    (0xFF, "SET MANAGEMENT KEY"),
];

/// Applications by the beginnings of their names, the longer first.
pub(super) const APPLICATIONS: [(&[u8], &str); 10] = [
    (&[0xA0, 0x00, 0x00, 0x03, 0x08], "PIV"),
    (&[0xA0, 0x00, 0x00, 0x01, 0x51], "issuer security domain"),
    (&[0xA0, 0x00, 0x00, 0x00, 0x03], "card manager"),
    (&[0xA0, 0x00, 0x00, 0x00, 0x79], "CAC"),
    (&[0xA0, 0x00, 0x00, 0x01, 0x16], "GSC-IS"),
    (&[0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17], "YubiKey management"),
    (&[0xA0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01], "YubiKey OTP"),
    (&[0xA0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01], "YubiKey OATH"),
    (&[0xD2, 0x76, 0x00, 0x01, 0x24, 0x01], "OpenPGP"),
    (&[0xA0, 0x00, 0x00, 0x06, 0x47, 0x2F, 0x00, 0x01], "FIDO"),
];

/// Reference data (SP 800-73-5 part 1, table 4).
pub(super) const REFERENCE_DATA: [(u8, &str); 6] = [
    (0x00, "Global PIN"),
    (0x80, "PIV PIN"),
    (0x81, "PUK"),
    (0x96, "primary finger"),
    (0x97, "secondary finger"),
    (0x98, "pairing code"),
];

/// Keys (SP 800-73-5 part 1, table 5); F9 is Yubico's.
const KEYS: [(u8, &str); 7] = [
    (0x04, "Secure Messaging"),
    (0x9A, "PIV Authentication"),
    (0x9B, "Card Management"),
    (0x9C, "Digital Signature"),
    (0x9D, "Key Management"),
    (0x9E, "Card Authentication"),
    (0xF9, "Attestation"),
];

/// Algorithms (SP 800-78-5, table 9).
pub(super) const ALGORITHMS: [(u8, &str); 15] = [
    (0x00, "3DES"),
    (0x03, "3DES"),
    (0x05, "RSA 3072"),
    (0x06, "RSA 1024"),
    (0x07, "RSA 2048"),
    (0x08, "AES 128"),
    (0x0A, "AES 192"),
    (0x0C, "AES 256"),
    (0x11, "P-256"),
    (0x14, "P-384"),
    (0x16, "RSA 4096"),
    (0x27, "CS2"),
    (0x2E, "CS7"),
    // Yubico's.
    (0xE0, "Ed25519"),
    (0xE1, "X25519"),
];

/// The name of a number, or the number.
pub(super) fn name_of(table: &[(u8, &str)], number: u8) -> String {
    let row = table.iter().find(|(row, _)| *row == number);
    row.map_or_else(|| format!("{number:02X}"), |(_, name)| (*name).to_owned())
}

/// A key with its number.
pub(super) fn key(reference: u8) -> String {
    match reference {
        0x82..=0x95 => format!("{reference:02X} (Retired Key Management {})", reference - 0x81),
        _ => match KEYS.iter().find(|(row, _)| *row == reference) {
            Some((_, name)) => format!("{reference:02X} ({name})"),
            None => format!("{reference:02X}"),
        },
    }
}

/// A data object by the bytes of its tag.
pub(super) fn object(tag: &[u8]) -> String {
    let container = Container::from_bytes(tag);
    container.map_or_else(|| hex::encode_upper(tag), |container| container.name.to_owned())
}

/// An application by its name or a part of it.
pub(super) fn application(name: &[u8]) -> String {
    let row = APPLICATIONS.iter().find(|(beginning, _)| name.starts_with(beginning));
    row.map_or_else(|| hex::encode_upper(name), |(_, application)| (*application).to_owned())
}
