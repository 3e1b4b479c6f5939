//! A drawn portrait: a face as a child would draw it, with the word SAMPLE on the chest.
//!
//! 420 by 560 pixels with a head 240 wide: the smallest full frontal image of SP 800-76-2, section 7. Flat colours, so
//! that the picture compresses to a few kilobytes.

use rand_core::CryptoRng;

/// A picture in Y, Cb, Cr, eight bits each, row by row.
pub(crate) struct Picture {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) pixels: Vec<[u8; 3]>,
}

const WIDTH: u16 = 420;
const HEIGHT: u16 = 560;
/// The face is symmetric about this column.
const MIDDLE: i32 = 210;

type Colour = [u8; 3];

const BACKGROUND: Colour = [205, 134, 124];
const DARK: Colour = [40, 128, 128];
const WHITE: Colour = [235, 128, 128];
const SKIN: [Colour; 4] = [[190, 114, 146], [160, 112, 150], [125, 115, 147], [95, 119, 142]];
const HAIR: [Colour; 4] = [[45, 126, 132], [80, 117, 141], [150, 108, 138], [170, 128, 128]];
const SHIRT: [Colour; 4] = [[85, 155, 115], [95, 118, 112], [90, 120, 170], [75, 145, 135]];

/// The letters of SAMPLE, five by seven, the leftmost column in bit 4.
const LETTERS: [[u8; 7]; 6] = [
    [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110],
    [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
    [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001],
    [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000],
    [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
    [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
];
/// Pixels to a dot of a letter: whole JPEG blocks compress best.
const DOT: i32 = 8;
/// The upper left corner of the word.
const WORD: (i32, i32) = (72, 496);

/// A portrait whose colours are chosen by `rng`.
pub(crate) fn portrait(rng: &mut dyn CryptoRng) -> Picture {
    let mut choices = [0; 3];
    rng.fill_bytes(&mut choices);
    let [skin, hair, shirt] = choices.map(|choice| usize::from(choice % 4));
    let colours = Colours { skin: SKIN[skin], hair: HAIR[hair], shirt: SHIRT[shirt] };
    let rows = 0..i32::from(HEIGHT);
    let pixels = rows
        .flat_map(|y| (0..i32::from(WIDTH)).map(move |x| (x, y)))
        .map(|(x, y)| colours.at(x, y))
        .collect();
    Picture { width: WIDTH, height: HEIGHT, pixels }
}

struct Colours {
    skin: Colour,
    hair: Colour,
    shirt: Colour,
}

impl Colours {
    /// The colour of the topmost shape at this place.
    fn at(&self, x: i32, y: i32) -> Colour {
        // Everything but the word is symmetric.
        let side = (x - MIDDLE).abs();
        let in_ellipse = |(centre_x, centre_y): (i32, i32), (width, height): (i32, i32)| {
            let [dx, dy, width, height] = [side - centre_x, y - centre_y, width, height].map(i64::from);
            (dx * height).pow(2) + (dy * width).pow(2) <= (width * height).pow(2)
        };
        if is_word(x, y) {
            return WHITE;
        }
        let eye = in_ellipse((46, 240), (15, 9));
        let nose = side < 6 && (262..306).contains(&y);
        let mouth = side < 40 && (336..344).contains(&y);
        if eye || nose || mouth {
            DARK
        } else if in_ellipse((0, 250), (120, 152)) && y > 168 {
            self.skin
        } else if in_ellipse((0, 240), (128, 165)) && y < 264 {
            self.hair
        } else if in_ellipse((0, 570), (196, 130)) {
            self.shirt
        } else if side < 44 && (380..460).contains(&y) {
            self.skin
        } else {
            BACKGROUND
        }
    }
}

fn is_word(x: i32, y: i32) -> bool {
    let (column, row) = ((x - WORD.0).div_euclid(DOT), (y - WORD.1).div_euclid(DOT));
    // Six columns to a letter, the sixth is the gap.
    let (letter, column) = (column.div_euclid(6), column.rem_euclid(6));
    let (Ok(letter), Ok(row)) = (usize::try_from(letter), usize::try_from(row)) else { return false };
    let dots = LETTERS.get(letter).and_then(|letter| letter.get(row));
    column < 5 && dots.is_some_and(|dots| dots >> (4 - column) & 1 == 1)
}
