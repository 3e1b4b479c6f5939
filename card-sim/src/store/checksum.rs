//! CRC-32 (ISO/IEC 13239), the polynomial of Ethernet, four bytes a step.
//!
//! Finds every change within 32 neighbouring bits, which is what a bad flash cell or a bad disk block makes. It is no
//! protection against somebody who means to change a card.

const TABLES: [[u32; 256]; 4] = tables();

/// A checksum that grows with what it has seen.
#[derive(Clone, Copy)]
pub(super) struct Crc32(u32);

impl Crc32 {
    pub(super) const fn new() -> Self {
        Self(u32::MAX)
    }

    pub(super) fn update(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut crc = words.iter().fold(self.0, |crc, word| {
            let [a, b, c, d] = (crc ^ u32::from_le_bytes(*word)).to_le_bytes();
            entry(3, a) ^ entry(2, b) ^ entry(1, c) ^ entry(0, d)
        });
        for byte in rest {
            let [low, ..] = (crc ^ u32::from(*byte)).to_le_bytes();
            crc = entry(0, low) ^ (crc >> 8);
        }
        Self(crc)
    }

    pub(super) const fn finish(self) -> u32 {
        !self.0
    }
}

fn entry(table: usize, byte: u8) -> u32 {
    // Both are within the tables by their types and by the four calls above.
    TABLES.get(table).and_then(|table| table.get(usize::from(byte))).copied().unwrap_or_default()
}

/// `tables[k][byte]` is the checksum of `byte` and `k` zeros after it.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler"
)]
const fn tables() -> [[u32; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 4 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = tables[0][(before & 0xFF) as usize] ^ (before >> 8);
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::Crc32;

    #[test]
    fn check_value_of_the_standard() {
        for split in 0..=9 {
            let (head, tail) = b"123456789".split_at(split);
            assert_eq!(Crc32::new().update(head).update(tail).finish(), 0xCBF4_3926, "split at {split}");
        }
    }
}
