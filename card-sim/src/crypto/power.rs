//! `base ^ exponent mod m` for RSA's primes: the loop in which a raw RSA operation spends its time.
//!
//! Montgomery multiplication (P. L. Montgomery 1985) on numbers in radix 2^58, so that a column of products fits a
//! `u128` and carries are settled once a multiplication instead of once a product. It takes about half the time of
//! `crypto-bigint`'s, which works on full words, and needs no more of the machine than a 64-bit multiplication.
//!
//! Promises: the time depends on the lengths of the numbers only (fixed windows, every table entry read for every
//! window, no branch and no address that depends on a value); no overflow, no panic; what is secret is wiped.
//! Correctness does not rest on this file: its caller checks every result with the public key
//! ([`rsa_raw`](super::rsa_raw)).

use crypto_bigint::{BoxedUint, NonZero};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::CryptoError;

/// Bits of a digit. With it a column of the largest product stays below 2^123, whatever is added to it.
const RADIX: u32 = 58;
const MASK: u64 = (1 << RADIX) - 1;
const WIDE_MASK: u128 = (1 << RADIX) - 1;

/// Digits of a block. Two blocks are multiplied by straight-line code.
const BLOCK: usize = 9;

/// Blocks of the largest number: 4 * 9 * 58 = 2,088 bits.
const BLOCKS: usize = 4;

/// Columns of the largest product, and of the product of two blocks.
const COLUMNS: usize = 2 * BLOCK * BLOCKS;
const BLOCK_COLUMNS: usize = 2 * BLOCK - 1;

/// Entries of the table of powers: the exponent is taken four bits at a time.
const TABLE: usize = 16;

/// The least significant digit first.
type Block = [u64; BLOCK];

/// The least significant block first. Blocks above the modulus's length are zero.
type Number = [Block; BLOCKS];

const ZERO: Number = [[0; BLOCK]; BLOCKS];

/// Sums of products of digits, one for each power of the radix.
type Columns = [u128; COLUMNS];

/// An odd modulus of 1,024, 1,536 or 2,048 bits with what Montgomery multiplication needs to know of it.
///
/// `R` is 2 to the bits of the modulus's blocks and more than four times the modulus `m`. So, with factors below
/// `2 m`, `a b / R + m` is below `2 m` again, and no multiplication needs a subtraction at its end.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Modulus {
    number: Number,
    blocks: usize,
    bits: u32,
    /// `-1 / m mod 2^58`
    inverse: u64,
    /// `R mod m`, Montgomery's form of one.
    one: Number,
    /// `R^3 mod m`
    cube: Number,
}

impl Modulus {
    /// For an odd `modulus` whose length is its precision.
    pub(super) fn new(modulus: &BoxedUint) -> Result<Self, CryptoError> {
        let bits = modulus.bits_precision();
        let (blocks, shift) = match bits {
            1024 => (2, 2 * 9 * RADIX),
            1536 => (3, 3 * 9 * RADIX),
            2048 => (4, 4 * 9 * RADIX),
            _ => return Err(CryptoError::InvalidKey),
        };
        let nonzero = NonZero::new(modulus.clone()).into_option().ok_or(CryptoError::InvalidKey)?;
        let nonzero = Zeroizing::new(nonzero);
        let power = BoxedUint::one_with_precision(shift.saturating_add(1)).shl_vartime(shift);
        let one = Zeroizing::new(power.ok_or(CryptoError::Failed)?.rem(&nonzero));
        let square = Zeroizing::new(one.mul_mod(&one, &nonzero));
        let cube = Zeroizing::new(square.mul_mod(&one, &nonzero));
        let number = number(modulus);
        let inverse = negative_inverse(number.as_flattened().first().copied().unwrap_or_default());
        Ok(Self { number, blocks, bits, inverse, one: self::number(&one), cube: self::number(&cube) })
    }

    /// `base ^ exponent`, below or equal to the modulus. `base` may be twice as long as the modulus.
    pub(super) fn power(&self, base: &BoxedUint, exponent: &BoxedUint) -> Result<BoxedUint, CryptoError> {
        let columns = &mut *Zeroizing::new([0; COLUMNS]);
        let table = self.table(columns, base);
        let mut result = Zeroizing::new(self.one);
        let mut next = Zeroizing::new(ZERO);
        for byte in Zeroizing::new(exponent.to_be_bytes()).iter() {
            for window in [byte >> 4, byte & 0x0F] {
                for _ in 0..2 {
                    self.square(columns, &result, &mut next);
                    self.square(columns, &next, &mut result);
                }
                let factor = Zeroizing::new(select(&table, window));
                self.multiply(columns, &result, &factor, &mut next);
                *result = *next;
            }
        }
        // Out of Montgomery's form: the product with a plain one is `result / R`.
        let mut plain_one = ZERO;
        plain_one.as_flattened_mut().iter_mut().take(1).for_each(|digit| *digit = 1);
        self.multiply(columns, &result, &plain_one, &mut next);
        self.to_integer(&next)
    }

    /// The powers of `base` from 0 to 15 in Montgomery's form.
    fn table(&self, columns: &mut Columns, base: &BoxedUint) -> Zeroizing<[Number; TABLE]> {
        for (column, digit) in columns.iter_mut().zip(Digits::new(&base.to_be_bytes())) {
            *column = u128::from(digit);
        }
        // `base / R`, then `base / R * R^3 / R`.
        let (mut reduced, mut factor) = (Zeroizing::new(ZERO), Zeroizing::new(ZERO));
        self.reduce(columns, &mut reduced);
        self.multiply(columns, &reduced, &self.cube, &mut factor);
        let mut table = Zeroizing::new([ZERO; TABLE]);
        let mut power = Zeroizing::new(self.one);
        for entry in table.iter_mut() {
            *entry = *power;
            self.multiply(columns, entry, &factor, &mut power);
        }
        table
    }

    /// `a b / R`
    fn multiply(&self, columns: &mut Columns, a: &Number, b: &Number, out: &mut Number) {
        *columns = [0; COLUMNS];
        for (i, a) in a.iter().take(self.blocks).enumerate() {
            for (j, b) in b.iter().take(self.blocks).enumerate() {
                add_product(columns, i.wrapping_add(j), a, b);
            }
        }
        self.reduce(columns, out);
    }

    /// `a a / R`: products of different blocks count twice.
    fn square(&self, columns: &mut Columns, a: &Number, out: &mut Number) {
        *columns = [0; COLUMNS];
        for (i, block) in a.iter().take(self.blocks).enumerate() {
            add_product(columns, i.wrapping_mul(2), block, block);
            let twice = block.map(|digit| digit << 1);
            for (j, other) in a.iter().take(self.blocks).enumerate().skip(i.wrapping_add(1)) {
                add_product(columns, i.wrapping_add(j), &twice, other);
            }
        }
        self.reduce(columns, out);
    }

    /// The columns' number divided by `R`: adds the multiple of the modulus that makes the lower half zero.
    fn reduce(&self, columns: &mut Columns, out: &mut Number) {
        let Some((lowest, higher)) = self.number.split_first() else { return };
        let higher = higher.iter().take(self.blocks.wrapping_sub(1));
        for i in 0..self.blocks {
            let quotient = clear_block(columns, i, lowest, self.inverse);
            for (j, block) in higher.clone().enumerate() {
                add_product(columns, i.wrapping_add(j).wrapping_add(1), &quotient, block);
            }
        }
        let length = self.blocks.wrapping_mul(BLOCK);
        let mut carry = 0;
        for (digit, column) in out.as_flattened_mut().iter_mut().zip(columns.iter().skip(length)).take(length)
        {
            let sum = column.wrapping_add(carry);
            *digit = low(sum);
            carry = sum >> RADIX;
        }
    }

    fn to_integer(&self, number: &Number) -> Result<BoxedUint, CryptoError> {
        let mut bytes = Zeroizing::new([0; 256]);
        let (mut window, mut held) = (0_u128, 0_u32);
        let mut digits = number.as_flattened().iter();
        for byte in bytes.iter_mut().rev() {
            if held < 8 {
                window |= u128::from(digits.next().copied().unwrap_or_default()).wrapping_shl(held);
                held = held.wrapping_add(RADIX);
            }
            [*byte, ..] = window.to_le_bytes();
            window >>= 8;
            held = held.wrapping_sub(8);
        }
        let length = usize::try_from(self.bits / 8).unwrap_or_default();
        let start = bytes.len().wrapping_sub(length);
        let bytes = bytes.get(start..).ok_or(CryptoError::Failed)?;
        BoxedUint::from_be_slice(bytes, self.bits).map_err(|_| CryptoError::Failed)
    }
}

/// `-1 / odd mod 2^58`. Each of Newton's steps doubles the three bits that are right at the start.
fn negative_inverse(odd: u64) -> u64 {
    let inverse =
        (0..5).fold(odd, |inverse, _| inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse))));
    inverse.wrapping_neg() & MASK
}

fn number(integer: &BoxedUint) -> Number {
    let mut number = ZERO;
    for (to, digit) in number.as_flattened_mut().iter_mut().zip(Digits::new(&integer.to_be_bytes())) {
        *to = digit;
    }
    number
}

/// The table's entry, read in a way that touches all of them alike.
fn select(table: &[Number; TABLE], index: u8) -> Number {
    let mut selected = ZERO;
    for (position, entry) in (0_u8..).zip(table) {
        let mask = u64::from(position.ct_eq(&index).unwrap_u8()).wrapping_neg();
        for (to, from) in selected.as_flattened_mut().iter_mut().zip(entry.as_flattened()) {
            *to |= from & mask;
        }
    }
    selected
}

/// The digits of a big-endian number, the least significant first.
struct Digits<'a> {
    bytes: core::iter::Rev<core::slice::Iter<'a, u8>>,
    window: u128,
    held: u32,
}

impl<'a> Digits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter().rev(), window: 0, held: 0 }
    }
}

impl Iterator for Digits<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        while self.held < RADIX
            && let Some(byte) = self.bytes.next()
        {
            self.window |= u128::from(*byte).wrapping_shl(self.held);
            self.held = self.held.wrapping_add(8);
        }
        let digit = low(self.window);
        let any = self.held > 0;
        self.window >>= RADIX;
        self.held = self.held.saturating_sub(RADIX);
        any.then_some(digit)
    }
}

// ------------------------------------------------------------------------------------------- products of blocks

fn low(sum: u128) -> u64 {
    (sum & WIDE_MASK) as u64
}

/// `sum` with the products of the digits `a[i] b[COLUMN - i]`.
#[inline]
fn column<const COLUMN: usize>(mut sum: u128, a: &Block, b: &Block) -> u128 {
    for (i, a) in a.iter().enumerate() {
        if let Some(b) = b.get(COLUMN.wrapping_sub(i)) {
            sum = sum.wrapping_add(u128::from(*a).wrapping_mul(u128::from(*b)));
        }
    }
    sum
}

/// The columns that the product of blocks adds to, when the blocks' positions sum up to `block`.
fn columns_of(columns: &mut Columns, block: usize) -> Option<&mut [u128; BLOCK_COLUMNS]> {
    columns.get_mut(block.wrapping_mul(BLOCK)..)?.first_chunk_mut()
}

/// Adds the products of two blocks to the listed columns.
macro_rules! add_to_columns {
    ($columns:expr, $a:expr, $b:expr; $($index:literal)*) => {
        $(if let Some(sum) = $columns.get_mut($index) {
            *sum = column::<$index>(*sum, $a, $b);
        })*
    };
}

/// Adds `a b` to the columns.
fn add_product(columns: &mut Columns, block: usize, a: &Block, b: &Block) {
    let Some(columns) = columns_of(columns, block) else { return };
    add_to_columns!(columns, a, b; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
}

/// Adds to the columns the multiple of the modulus that makes its nine columns from `block` on zero, and carries what
/// they held into the next. Returns the factor.
fn clear_block(columns: &mut Columns, block: usize, modulus: &Block, inverse: u64) -> Block {
    let mut quotient = [0; BLOCK];
    let (Some(columns), Some(lowest)) = (columns_of(columns, block), modulus.first()) else {
        return quotient;
    };
    let mut carry = 0;
    macro_rules! clear_columns {
        ($($index:literal)*) => {
            $(if let Some(sum) = columns.get($index) {
                let sum = column::<$index>(sum.wrapping_add(carry), &quotient, modulus);
                let digit = low(sum).wrapping_mul(inverse) & MASK;
                carry = sum.wrapping_add(u128::from(digit).wrapping_mul(u128::from(*lowest))) >> RADIX;
                if let Some(place) = quotient.get_mut($index) {
                    *place = digit;
                }
            })*
        };
    }
    clear_columns!(0 1 2 3 4 5 6 7 8);
    if let Some(sum) = columns.get_mut(BLOCK) {
        *sum = sum.wrapping_add(carry);
    }
    add_to_columns!(columns, &quotient, modulus; 9 10 11 12 13 14 15 16);
    quotient
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};
    use chacha20::ChaCha20Rng;
    use crypto_bigint::{
        BoxedUint, ConcatenatingMul, Odd, Resize,
        modular::{BoxedMontyForm, BoxedMontyParams},
    };
    use rand_core::{Rng, SeedableRng};

    use super::Modulus;

    const SIZES: [u32; 3] = [1024, 1536, 2048];

    fn random(rng: &mut ChaCha20Rng, bits: u32) -> BoxedUint {
        let mut bytes = vec![0; usize::try_from(bits / 8).expect("small")];
        rng.fill_bytes(&mut bytes);
        BoxedUint::from_be_slice(&bytes, bits).expect("as many bytes")
    }

    /// Odd numbers of the full length: the largest, the smallest, and any.
    fn moduli(rng: &mut ChaCha20Rng, bits: u32) -> Vec<Odd<BoxedUint>> {
        let one = BoxedUint::one_with_precision(bits);
        let top = one.shl_vartime(bits - 1).expect("within the length");
        let mut moduli = vec![BoxedUint::max(bits), &top | &one];
        moduli.extend((0..3).map(|_| random(rng, bits) | &top | &one));
        moduli.into_iter().map(|modulus| Odd::new(modulus).expect("odd")).collect()
    }

    #[test]
    fn agrees_with_crypto_bigint() {
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        for bits in SIZES {
            for modulus in moduli(&mut rng, bits) {
                let fast = Modulus::new(&modulus).expect("a supported length");
                let params = BoxedMontyParams::new(modulus.clone());
                let largest = modulus.wrapping_sub(BoxedUint::one());
                let square = modulus.concatenating_mul(modulus.as_ref());
                let bases = [
                    BoxedUint::zero_with_precision(2 * bits),
                    BoxedUint::one_with_precision(2 * bits),
                    largest.clone().resize(2 * bits),
                    modulus.as_ref().clone().resize(2 * bits),
                    square.wrapping_sub(BoxedUint::one()),
                    random(&mut rng, bits).resize(2 * bits),
                    largest.clone(),
                ];
                let check = |base: &BoxedUint, exponent: &BoxedUint| {
                    let reduced = base.rem(modulus.as_nz_ref());
                    let expected = BoxedMontyForm::new(reduced, &params).pow(exponent);
                    let power = fast.power(base, exponent).expect("a power");
                    assert!(power <= *modulus.as_ref(), "{bits} bits");
                    assert_eq!(power.rem(modulus.as_nz_ref()), expected.retrieve(), "{bits} bits");
                };
                // Every digit of the base is in the first products already; a long exponent once is enough.
                for base in &bases {
                    for exponent in [0, 1, 2, 0x0123_4567, u32::MAX] {
                        check(base, &BoxedUint::from(exponent));
                    }
                }
                check(&random(&mut rng, 2 * bits), &random(&mut rng, bits));
            }
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        for bits in [64, 512, 960, 1088, 2112, 4096] {
            assert!(Modulus::new(&BoxedUint::max(bits)).is_err(), "{bits} bits");
        }
    }
}
