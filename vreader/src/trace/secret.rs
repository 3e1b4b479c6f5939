//! Which bytes of a command are hidden: data fields that hold a PIN, a PUK or a key.

use std::ops::Range;

/// Where a data field begins: after the header and Lc, or after the header and the three bytes of an extended Lc.
const SHORT: usize = 5;
const EXTENDED: usize = 7;

/// Instructions whose data field is secret: reference data (ISO/IEC 7816-4, 11.6) and keys that are put on a card.
const SECRET: [(u8, &str); 5] = [
    (0x20, "VERIFY"),
    (0x24, "CHANGE REFERENCE DATA"),
    (0x2C, "RESET RETRY COUNTER"),
    (0xFE, "IMPORT ASYMMETRIC KEY, Yubico"),
    (0xFF, "SET MANAGEMENT KEY, Yubico"),
];

/// The bytes of a command that nobody is to see, chained or protected or malformed as it may be: all that follow Lc.
pub(super) fn secret_part(command: &[u8]) -> Range<usize> {
    let is_secret = |instruction: &u8| SECRET.iter().any(|(secret, _)| secret == instruction);
    if !command.get(1).is_some_and(is_secret) {
        return 0..0;
    }
    let begin = if is_extended(command) { EXTENDED } else { SHORT };
    begin..command.len().max(begin)
}

/// Whether the three bytes after the header are an extended Lc that tells the truth; otherwise they may be digits.
fn is_extended(command: &[u8]) -> bool {
    match command.get(SHORT - 1..) {
        Some([0x00, high, low, data @ ..]) => {
            let claimed = usize::from(u16::from_be_bytes([*high, *low]));
            claimed > 0 && (claimed == data.len() || claimed + 2 == data.len())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::trace::Bytes;

    #[test]
    fn pins_and_keys_are_hidden_whatever_the_form_of_the_command() {
        for (command, shown) in [
            ("0020008008313233343536FFFF", "0020008008****************"),
            ("0020008008313233343536FFFF00", "0020008008******************"),
            ("00200080", "00200080"),
            ("0020008000", "0020008000"),
            ("0020FF80", "0020FF80"),
            // Chained, protected, another channel, a class of its own.
            ("1020008003313233", "1020008003******"),
            ("0C20008003313233", "0C20008003******"),
            ("8020008003313233", "8020008003******"),
            // Lengths that lie.
            ("00200080FF313233", "00200080FF******"),
            ("0020008001313233343536", "0020008001************"),
            ("002000800731323334353637", "0020008007**************"),
            ("00200080073132333435363738", "0020008007****************"),
            ("00200080003132", "0020008000****"),
            ("0020008000313233343536", "0020008000************"),
            // Extended length.
            ("00200080000008313233343536FFFF", "00200080000008****************"),
            ("00200080000008313233343536FFFF0000", "00200080000008********************"),
            // The others.
            ("00240080023132", "0024008002****"),
            ("002C0080023132", "002C008002****"),
            ("00FFFFFF020A0B", "00FFFFFF02****"),
            ("00FE119A020A0B", "00FE119A02****"),
            // Nothing secret.
            ("00A4040005A000000308", "00A4040005A000000308"),
            ("", ""),
            ("0020", "0020"),
        ] {
            let bytes = hex::decode(command).unwrap();
            assert_eq!(Bytes::new(&bytes, super::secret_part(&bytes)).to_string(), shown, "{command}");
        }
    }
}
