//! A baseline JPEG encoder, just large enough for a drawn portrait (ITU-T T.81; JFIF 1.02).
//!
//! Three components, chroma at half resolution, and the quantisation and Huffman tables that T.81, annex K, gives for
//! luminance, used for all three. Only integers are calculated with, so that the same picture gives the same bytes on
//! every machine.

use super::portrait::Picture;

/// T.81, table K.1.
#[rustfmt::skip]
const QUANTISATION: [u8; 64] = [
     16,  11,  10,  16,  24,  40,  51,  61,
     12,  12,  14,  19,  26,  58,  60,  55,
     14,  13,  16,  24,  40,  57,  69,  56,
     14,  17,  22,  29,  51,  87,  80,  62,
     18,  22,  37,  56,  68, 109, 103,  77,
     24,  35,  55,  64,  81, 104, 113,  92,
     49,  64,  78,  87, 103, 121, 120, 101,
     72,  92,  95,  98, 112, 100, 103,  99,
];

/// T.81, figure A.6: the place in a block of each coefficient in the order of the file.
#[rustfmt::skip]
const ZIGZAG: [usize; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10,
    17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34,
    27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36,
    29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46,
    53, 60, 61, 54, 47, 55, 62, 63,
];

/// A Huffman table as T.81, annex C, defines it: how many codes of 1 to 16 bits, and what they stand for.
struct Huffman {
    counts: [u8; 16],
    values: &'static [u8],
}

/// T.81, table K.3.
const DC: Huffman = Huffman {
    counts: [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    values: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
};

/// T.81, table K.5.
#[rustfmt::skip]
const AC: Huffman = Huffman {
    counts: [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
    values: &[
        0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
        0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0,
        0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28,
        0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
        0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
        0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
        0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
        0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
        0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
        0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
        0xF9, 0xFA,
    ],
};

/// Sixteen zero coefficients.
const ZERO_RUN: u8 = 0xF0;
/// All further coefficients are zero.
const END_OF_BLOCK: u8 = 0x00;

/// The picture as a JFIF file.
pub(crate) fn encode(picture: &Picture) -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8];
    write_headers(&mut file, picture);
    let mut scan = Scan::new();
    // A unit is 16 by 16 pixels: four blocks of Y, one of Cb, one of Cr.
    for top in (0..picture.height).step_by(16) {
        for left in (0..picture.width).step_by(16) {
            for (x, y) in [(0, 0), (8, 0), (0, 8), (8, 8)] {
                scan.block(0, &picture.block(0, left + x, top + y, 1));
            }
            scan.block(1, &picture.block(1, left, top, 2));
            scan.block(2, &picture.block(2, left, top, 2));
        }
    }
    file.extend(scan.finish());
    file.extend([0xFF, 0xD9]);
    file
}

fn write_headers(file: &mut Vec<u8>, picture: &Picture) {
    // JFIF 1.02, 500 dots per inch, no thumbnail.
    segment(file, 0xE0, b"JFIF\0\x01\x02\x01\x01\xF4\x01\xF4\0\0");
    segment(file, 0xDB, &[&[0x00][..], &ZIGZAG.map(|place| QUANTISATION[place])].concat());
    let [height, width] = [picture.height, picture.width].map(u16::to_be_bytes);
    // Eight bits; three components: number, sampling factors, quantisation table.
    let components = [3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
    segment(file, 0xC0, &[&[8][..], &height, &width, &components].concat());
    for (class, table) in [(0x00, &DC), (0x10, &AC)] {
        segment(file, 0xC4, &[&[class][..], &table.counts, table.values].concat());
    }
    // Three components with their Huffman tables; all coefficients at once.
    segment(file, 0xDA, &[3, 1, 0x00, 2, 0x00, 3, 0x00, 0, 63, 0]);
}

fn segment(file: &mut Vec<u8>, marker: u8, content: &[u8]) {
    let [high, low] = u16::try_from(content.len() + 2).unwrap_or(u16::MAX).to_be_bytes();
    file.extend([0xFF, marker, high, low]);
    file.extend(content);
}

impl Picture {
    /// 64 samples of one component from `(left, top)` on, `step` pixels apart, about zero. Beyond its edges the
    /// picture goes on as at the edge.
    fn block(&self, component: usize, left: u16, top: u16, step: usize) -> [i32; 64] {
        let [left, top, width, height] = [left, top, self.width, self.height].map(usize::from);
        std::array::from_fn(|index| {
            let x = (left + index % 8 * step).min(width - 1);
            let y = (top + index / 8 * step).min(height - 1);
            i32::from(self.pixels[y * width + x][component]) - 128
        })
    }
}

/// The entropy-coded data.
struct Scan {
    dc: Codes,
    ac: Codes,
    /// The last DC value of each component.
    previous: [i32; 3],
    bytes: Vec<u8>,
    /// Bits not yet written, in the low end.
    pending: u32,
    pending_count: u32,
}

impl Scan {
    fn new() -> Self {
        let (dc, ac) = (Codes::new(&DC), Codes::new(&AC));
        Self { dc, ac, previous: [0; 3], bytes: Vec::new(), pending: 0, pending_count: 0 }
    }

    fn block(&mut self, component: usize, samples: &[i32; 64]) {
        let coefficients = transform(samples);
        let quantised = ZIGZAG.map(|place| divide(coefficients[place], i32::from(QUANTISATION[place])));
        let difference = quantised[0] - self.previous[component];
        self.previous[component] = quantised[0];
        let size = magnitude(difference);
        self.code(self.dc.0[usize::from(size)]);
        self.amplitude(difference, size);
        self.ac_coefficients(&quantised[1..]);
    }

    fn ac_coefficients(&mut self, coefficients: &[i32]) {
        let mut zeros = 0;
        for value in coefficients {
            if *value == 0 {
                zeros += 1;
                continue;
            }
            while zeros > 15 {
                self.code(self.ac.0[usize::from(ZERO_RUN)]);
                zeros -= 16;
            }
            let size = magnitude(*value);
            self.code(self.ac.0[usize::from(zeros << 4 | size)]);
            self.amplitude(*value, size);
            zeros = 0;
        }
        if zeros > 0 {
            self.code(self.ac.0[usize::from(END_OF_BLOCK)]);
        }
    }

    /// T.81, F.1.2.1: negative numbers one less, cut to `size` bits.
    fn amplitude(&mut self, value: i32, size: u8) {
        let bits = if value < 0 { value - 1 } else { value };
        self.bits(bits.cast_unsigned() & ((1 << size) - 1), u32::from(size));
    }

    fn code(&mut self, (code, length): (u16, u8)) {
        self.bits(u32::from(code), u32::from(length));
    }

    fn bits(&mut self, bits: u32, count: u32) {
        // At most 7 bits are pending and 16 are added.
        self.pending = self.pending << count | bits;
        self.pending_count += count;
        while self.pending_count >= 8 {
            self.pending_count -= 8;
            let byte = (self.pending >> self.pending_count).to_le_bytes()[0];
            self.bytes.push(byte);
            if byte == 0xFF {
                // So that it is not taken for a marker.
                self.bytes.push(0x00);
            }
            self.pending &= (1 << self.pending_count) - 1;
        }
    }

    /// The data, its last byte filled with ones.
    fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.pending_count) % 8;
        self.bits((1 << missing) - 1, missing);
        self.bytes
    }
}

/// Code and length for each value of a Huffman table.
struct Codes([(u16, u8); 256]);

impl Codes {
    /// T.81, figure C.2.
    fn new(table: &Huffman) -> Self {
        let mut codes = [(0, 0); 256];
        let mut values = table.values.iter();
        let mut code = 0;
        for (length, count) in (1..).zip(table.counts) {
            for value in values.by_ref().take(usize::from(count)) {
                codes[usize::from(*value)] = (code, length);
                code += 1;
            }
            code <<= 1;
        }
        Self(codes)
    }
}

/// How many bits the absolute value has.
fn magnitude(value: i32) -> u8 {
    (u32::BITS - value.unsigned_abs().leading_zeros()).to_le_bytes()[0]
}

/// To the nearest integer, halves away from zero.
fn divide(value: i32, by: i32) -> i32 {
    (value + value.signum() * by / 2) / by
}

/// The cosines of 0 to 8 sixteenths of π, times 2¹².
const COSINES: [i32; 9] = [4096, 4017, 3784, 3406, 2896, 2276, 1567, 799, 0];

/// The basis of the transform, times 2¹³: half a cosine, or the root of an eighth.
const BASIS: [[i32; 8]; 8] = {
    let mut basis = [[COSINES[4]; 8]; 8];
    let mut frequency = 1;
    while frequency < 8 {
        let mut place = 0;
        while place < 8 {
            basis[frequency][place] = cosine((2 * place + 1) * frequency % 32);
            place += 1;
        }
        frequency += 1;
    }
    basis
};

/// The cosine of `sixteenths` sixteenths of π, times 2¹²; from 0 to 31.
const fn cosine(sixteenths: usize) -> i32 {
    match sixteenths {
        0..=8 => COSINES[sixteenths],
        9..=16 => -COSINES[16 - sixteenths],
        17..=24 => -COSINES[sixteenths - 16],
        _ => COSINES[32 - sixteenths],
    }
}

/// The discrete cosine transform of a block (T.81, A.3.3): first its rows, then its columns.
fn transform(samples: &[i32; 64]) -> [i32; 64] {
    let mut rows = [0; 64];
    if samples.iter().all(|sample| *sample == samples[0]) {
        // A flat block, as most are here, has only a DC coefficient.
        rows[0] = samples[0] * 8;
        return rows;
    }
    for (row, line) in samples.chunks_exact(8).enumerate() {
        for (frequency, basis) in BASIS.iter().enumerate() {
            let sum: i32 = line.iter().zip(basis).map(|(sample, factor)| sample * factor).sum();
            // Three bits stay behind the point.
            rows[row * 8 + frequency] = (sum + (1 << 9)) >> 10;
        }
    }
    let mut coefficients = [0; 64];
    for column in 0..8 {
        for (frequency, basis) in BASIS.iter().enumerate() {
            let sum: i32 = (0..8).map(|row| rows[row * 8 + column] * basis[row]).sum();
            coefficients[frequency * 8 + column] = (sum + (1 << 15)) >> 16;
        }
    }
    coefficients
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huffman_codes_are_those_of_annex_k() {
        let (dc, ac) = (Codes::new(&DC), Codes::new(&AC));
        assert_eq!((dc.0[0], dc.0[1], dc.0[11]), ((0b00, 2), (0b010, 3), (0b1_1111_1110, 9)));
        assert_eq!(ac.0[usize::from(END_OF_BLOCK)], (0b1010, 4));
        assert_eq!(ac.0[usize::from(ZERO_RUN)], (0b111_1111_1001, 11));
        assert_eq!(ac.0[0xFA], (0xFFFE, 16));
    }

    #[test]
    fn the_transform_is_close_to_the_real_one() {
        let mut samples = [0; 64];
        for (sample, value) in samples.iter_mut().zip((0..).step_by(37)) {
            *sample = value % 256 - 128;
        }
        let scale = |frequency: u8| if frequency == 0 { 0.125_f64.sqrt() } else { 0.5 };
        let wave = |frequency: u8, at: u8| {
            let angle = f64::from(2 * at + 1) * f64::from(frequency) * std::f64::consts::PI / 16.0;
            scale(frequency) * angle.cos()
        };
        let places = || (0..8_u8).flat_map(|row| (0..8_u8).map(move |column| (row, column)));
        for ((v, u), coefficient) in places().zip(transform(&samples)) {
            let real: f64 = places()
                .zip(samples)
                .map(|((row, column), sample)| f64::from(sample) * wave(v, row) * wave(u, column))
                .sum();
            let difference = f64::from(coefficient) - real;
            assert!(difference.abs() < 1.0, "coefficient {v}, {u} is off by {difference}");
        }
    }

    #[test]
    fn a_flat_picture_takes_six_bits_a_block() {
        let picture = Picture { width: 16, height: 16, pixels: vec![[128; 3]; 256] };
        let file = encode(&picture);
        // Six times DC difference 0 and end of block: 00 1010, and four ones at the end.
        let data = [0b0010_1000, 0b1010_0010, 0b1000_1010, 0b0010_1000, 0b1010_1111];
        assert_eq!(file[file.len() - 7..file.len() - 2], data);
    }
}
