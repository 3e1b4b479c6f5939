//! Biometric objects: CBEFF header, minutiae, face and iris records (SP 800-85B, section 9; SP 800-76-2).
//!
//! The table's rows 9.2 and 9.3 have slipped: their texts stand one row below their assertions. The texts decide
//! ([`structure_of_images`]). `76.1` and `76.4` stand for `76.10` and `76.40` too, a zero having been lost.

use super::{
    evidence::Subject,
    outcome::{Check, Seen, failed, hex, must, not_applicable},
};
use crate::issue::Date;

pub(super) const FINGERPRINTS: u32 = 0x5F_C103;
pub(super) const FACE: u32 = 0x5F_C108;
pub(super) const IRIS: u32 = 0x5F_C121;

/// Length of a CBEFF header.
const HEADER: usize = 88;

/// Header, record and signature.
pub(super) struct Biometric<'a> {
    /// All of it.
    whole: &'a [u8],
    header: &'a [u8],
    /// What the header says.
    record_length: usize,
    signature_length: usize,
}

impl<'a> Biometric<'a> {
    pub(super) fn read(tag: u32, subject: &Subject<'a>) -> Seen<Self> {
        let whole = subject.element(tag, 0xBC)?;
        let Some(header) = whole.get(..HEADER) else {
            return failed("a CBEFF header of 88 bytes", format!("{} bytes", whole.len()));
        };
        let number = |range| usize_of(header.get(range).unwrap_or_default());
        Ok(Self { whole, header, record_length: number(2..6), signature_length: number(6..8) })
    }

    fn field(&self, start: usize, length: usize) -> &'a [u8] {
        self.header.get(start..start + length).unwrap_or_default()
    }

    /// The record, as long as the header says.
    fn record(&self) -> Seen<&'a [u8]> {
        match self.whole.get(HEADER..HEADER.saturating_add(self.record_length)) {
            Some(record) => Ok(record),
            None => not_applicable("the record is shorter than its header says"),
        }
    }

    /// What is signed: header and record.
    pub(super) fn signed(&self) -> Seen<&'a [u8]> {
        match self.whole.get(..HEADER.saturating_add(self.record_length)) {
            Some(signed) => Ok(signed),
            None => not_applicable("the record is shorter than its header says"),
        }
    }

    /// Everything behind the record.
    pub(super) fn signature(&self) -> Seen<&'a [u8]> {
        match self.whole.get(HEADER.saturating_add(self.record_length)..) {
            Some(signature) => Ok(signature),
            None => not_applicable("the record is shorter than its header says"),
        }
    }

    fn record_fits(&self) -> Check {
        let rest = self.whole.len().saturating_sub(HEADER + self.signature_length);
        must(
            self.record_length == rest,
            &format!("a record of {} bytes, as the header says", self.record_length),
            || format!("{rest} bytes between header and signature"),
        )
    }

    fn signature_fits(&self) -> Check {
        let rest = self.whole.len().saturating_sub(HEADER + self.record_length);
        must(
            self.signature_length == rest,
            &format!("a signature of {} bytes, as the header says", self.signature_length),
            || format!("{rest} bytes behind the record"),
        )
    }

    fn sum_fits(&self) -> Check {
        let sum = HEADER + self.record_length + self.signature_length;
        must(sum == self.whole.len(), "header, record and signature, and nothing else", || {
            format!("{sum} bytes of them in {} bytes", self.whole.len())
        })
    }
}

fn usize_of(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Rows of 9.1.1, 9.1.2, 9.2 and 9.3.
pub(super) fn cbeff(id: &str, atom: &str, tag: u32, subject: &Subject<'_>) -> Check {
    let biometric = Biometric::read(tag, subject)?;
    if let Some(check) = structure_of_images(id, &biometric) {
        return check;
    }
    match atom {
        "76.1" => must(biometric.record_length > 0, "a record", || "none".to_owned()),
        "76.2" => biometric.record_fits(),
        "76.3" => must(biometric.signature_length > 0, "a signature", || "none".to_owned()),
        "76.48" => biometric.signature_fits(),
        "76.4" if id == "9.1.1.5" => biometric.sum_fits(),
        // 76.40: validity, from and to.
        "76.4" => {
            let [from, to] = [20, 28].map(|start| biometric.field(start, 8));
            match (moment(from), moment(to)) {
                (Some(first), Some(last)) if first <= last => Ok(()),
                _ => {
                    failed("a validity from a moment to a later one", format!("{} to {}", hex(from), hex(to)))
                }
            }
        }
        "76.39" => {
            let created = biometric.field(12, 8);
            must(moment(created).is_some(), "a moment as binary YYYYMMDDhhmmssZ", || hex(created))
        }
        "76.43" => {
            let quality = i8::from_be_bytes([biometric.field(40, 1).first().copied().unwrap_or_default()]);
            must(quality == -2 || (0..=100).contains(&quality), "a quality of -2 or 0 to 100", || {
                quality.to_string()
            })
        }
        "76.44" => {
            let creator = biometric.field(41, 18);
            let end = creator.iter().position(|byte| *byte == 0);
            must(
                end.is_some_and(|end| creator.iter().take(end).all(u8::is_ascii)),
                "a creator of at most 17 ASCII characters and a zero",
                || hex(creator),
            )
        }
        "76.45" => {
            let (fascn, found) = (subject.fascn()?, biometric.field(59, 25));
            must(found == fascn, &format!("the CHUID's FASC-N, {}", hex(fascn)), || hex(found))
        }
        _ => fixed_field(atom, tag, &biometric),
    }
}

/// Fields that have one value for each kind.
fn fixed_field(atom: &str, tag: u32, biometric: &Biometric<'_>) -> Check {
    let of_kind = |fingerprints: [u8; 2], face: [u8; 2], iris: [u8; 2]| match tag {
        FINGERPRINTS => fingerprints,
        FACE => face,
        _ => iris,
    };
    let (name, start, wanted) = match atom {
        "76.5" => ("patron header version", 0, vec![0x03]),
        "76.6" => ("security options, signed and not encrypted:", 1, vec![0x0D]),
        "76.7" => ("format owner", 8, of_kind([0x00, 0x1B], [0x00, 0x1B], [0x01, 0x01]).to_vec()),
        "76.38" => ("format type", 10, of_kind([0x02, 0x01], [0x05, 0x01], [0x00, 0x09]).to_vec()),
        "76.41" => {
            let [high, low] = of_kind([0x00, 0x08], [0x00, 0x02], [0x00, 0x10]);
            ("biometric type", 36, vec![0x00, high, low])
        }
        "76.46" => ("reserved field", 84, vec![0; 4]),
        "76.42" => {
            // The three highest bits; all eight of an iris image.
            let (mask, wanted) = match tag {
                FINGERPRINTS => (0xE0, 0x80),
                FACE => (0xE0, 0x20),
                _ => (0xFF, 0x40),
            };
            let found = biometric.field(39, 1).first().copied().unwrap_or_default();
            return must(
                found & mask == wanted,
                &format!("data type {wanted:02X} in the bits {mask:02X}"),
                || format!("{found:02X}"),
            );
        }
        _ => return not_applicable(format!("nothing is known of the assertion {atom}")),
    };
    let found = biometric.field(start, wanted.len());
    must(found == wanted, &format!("{name} {}", hex(&wanted)), || hex(found))
}

/// The first rows of 9.2 and 9.3, after their texts.
fn structure_of_images(id: &str, biometric: &Biometric<'_>) -> Option<Check> {
    Some(match id {
        "9.2.1.1" | "9.3.1.1" => biometric.signature_fits(),
        "9.2.1.2" | "9.3.1.2" => must(biometric.record_length > 0, "a record", || "none".to_owned()),
        "9.2.1.3" | "9.3.1.3" => biometric.record_fits(),
        "9.2.1.4" | "9.3.1.4" => must(biometric.signature_length > 0, "a signature", || "none".to_owned()),
        "9.2.2.1" => biometric.sum_fits().and_then(|()| fixed_field("76.5", FACE, biometric)),
        _ => return None,
    })
}

/// Binary `YYYYMMDDhhmmssZ`, each pair of digits one byte.
fn moment(bytes: &[u8]) -> Option<(Date, [u8; 3])> {
    let &[century, year, month, day, hour, minute, second, b'Z'] = bytes else { return None };
    let year = u16::from(century) * 100 + u16::from(year);
    let in_range = hour < 24 && minute < 60 && second < 61;
    Date::new(year, month, day).filter(|_| in_range).map(|date| (date, [hour, minute, second]))
}

/// One finger's view in a minutiae record.
struct View<'a> {
    position: u8,
    number: u8,
    impression: u8,
    quality: u8,
    minutiae: Vec<&'a [u8]>,
    extended: usize,
}

/// Rows of 9.4: the minutiae record (ANSI INCITS 378-2004).
pub(super) fn minutiae(id: &str, atom: &str, subject: &Subject<'_>) -> Check {
    let record = Biometric::read(FINGERPRINTS, subject)?.record()?;
    let field = |start: usize, length: usize| record.get(start..start + length).unwrap_or_default();
    let is = |name: &str, start: usize, wanted: &[u8]| {
        let found = field(start, wanted.len());
        must(found == wanted, &format!("{name} {}", hex(wanted)), || hex(found))
    };
    match atom {
        "76.9" => is("format identifier", 0, b"FMR\0"),
        "76.1" => is("version", 4, b" 20\0"),
        "76.11" => {
            let length = usize_of(field(8, 2));
            must(
                (26..=1574).contains(&length) && length == record.len(),
                "a length of 26 to 1574, that of the record",
                || format!("{length} in a record of {} bytes", record.len()),
            )
        }
        "76.12" => {
            let start = if id == "9.4.1.4" { 10 } else { 12 };
            must(usize_of(field(start, 2)) != 0, "a product identifier other than zero", || {
                hex(field(start, 2))
            })
        }
        "76.13" => {
            let compliance = field(14, 1).first().copied().unwrap_or_default() >> 4;
            must(compliance == 0b1000, "certified capture equipment, 1000", || format!("{compliance:04b}"))
        }
        "76.14" => {
            must(usize_of(field(14, 2)) & 0x0FFF != 0, "an identifier of the capture equipment", || {
                hex(field(14, 2))
            })
        }
        "76.16" => is("resolution 197 in both directions,", 20, &[0x00, 0xC5, 0x00, 0xC5]),
        "76.17" => is("number of views", 24, &[0x02]),
        "76.18" => is("reserved byte", 25, &[0x00]),
        _ => each_view(atom, record),
    }
}

fn each_view(atom: &str, record: &[u8]) -> Check {
    let (views, complete) = views(record);
    let size = |start: usize| usize_of(record.get(start..start + 2).unwrap_or_default());
    for (index, view) in views.iter().enumerate() {
        // Views are counted for each finger; golden ICAM cards count them through the record.
        let counted = view.number == 0 || usize::from(view.number) == index;
        match atom {
            // The view's header: a finger position, a view number and an impression type that INCITS 378 has.
            "76.19" => must(counted && view.impression <= 11, "a view header of INCITS 378", || {
                format!("view {}, impression {}", view.number, view.impression)
            }),
            "76.20" => must(view.position <= 14, "finger position 0 to 14", || view.position.to_string()),
            "76.21" => must(counted, "view number 0", || view.number.to_string()),
            "76.22" => must(matches!(view.impression, 0 | 2), "impression type 0 or 2", || {
                view.impression.to_string()
            }),
            "76.47" => must(
                matches!(view.quality, 20 | 40 | 60 | 80 | 100 | 254 | 255),
                "quality 20 40 60 80 100 254 or 255",
                || view.quality.to_string(),
            ),
            "76.23" => {
                must(view.minutiae.len() <= 128, "at most 128 minutiae", || view.minutiae.len().to_string())
            }
            "76.28" => must(view.extended == 0, "no extended data", || format!("{} bytes", view.extended)),
            _ => {
                view.minutiae.iter().try_for_each(|minutia| one_minutia(atom, minutia, (size(16), size(18))))
            }
        }?;
    }
    match atom {
        _ if complete => Ok(()),
        "76.23" => failed("as many views and minutiae as the record says", "its end among them"),
        _ => not_applicable("the record ends within a finger's view; row 9.4.2.4 says it"),
    }
}

fn one_minutia(atom: &str, minutia: &[u8], (width, height): (usize, usize)) -> Check {
    let &[x_high, x_low, y_high, y_low, angle, quality] = minutia else {
        return failed("six bytes a minutia", hex(minutia));
    };
    let place = |high: u8, low: u8| usize::from(high & 0x3F) << 8 | usize::from(low);
    let (x, y) = (place(x_high, x_low), place(y_high, y_low));
    match atom {
        "76.24" => must(x_high >> 6 != 0b11, "minutia type 01, 10 or 00", || format!("{:02b}", x_high >> 6)),
        "76.25" => must(x < width && y < height, &format!("a place within {width} by {height}"), || {
            format!("{x}, {y}")
        }),
        "76.26" => must(angle < 180, "an angle of 0 to 179", || angle.to_string()),
        "76.27" => must(quality <= 100, "a quality of 0 to 100", || quality.to_string()),
        _ => not_applicable(format!("nothing is known of the assertion {atom}")),
    }
}

/// The views that can be read, and whether these are all that the record says it has.
fn views(record: &[u8]) -> (Vec<View<'_>>, bool) {
    let count = record.get(24).copied().unwrap_or_default();
    let mut rest = record.get(26..);
    let mut views = Vec::new();
    for _ in 0..count {
        let Some((view, behind)) = rest.and_then(split_view) else { return (views, false) };
        rest = behind.get(view.extended..);
        views.push(view);
    }
    (views, rest.is_some())
}

fn split_view(bytes: &[u8]) -> Option<(View<'_>, &[u8])> {
    let (&[position, kind, quality, count], rest) = bytes.split_first_chunk()?;
    let (minutiae, rest) = rest.split_at_checked(usize::from(count) * 6)?;
    let (extended, rest) = rest.split_first_chunk::<2>()?;
    let (extended, minutiae) = (usize_of(extended), minutiae.chunks(6).collect());
    Some((View { position, number: kind >> 4, impression: kind & 0x0F, quality, minutiae, extended }, rest))
}

/// Rows of 9.6: the face record (ANSI INCITS 385-2004).
pub(super) fn face(id: &str, subject: &Subject<'_>) -> Check {
    let record = Biometric::read(FACE, subject)?.record()?;
    let field = |start: usize, length: usize| record.get(start..start + length).unwrap_or_default();
    // Behind the header (14) and the facial information (20) stand the feature points, 8 bytes each.
    let points = usize_of(field(18, 2));
    let image = 34 + points * 8;
    let byte = |start: usize, wanted: &[u8], name: &str| {
        let found = field(start, 1);
        must(found.first().is_some_and(|found| wanted.contains(found)), &format!("{name} {wanted:?}"), || {
            hex(found)
        })
    };
    match id {
        "9.6.1.1" => must(field(0, 4) == b"FAC\0", "format identifier 46414300", || hex(field(0, 4))),
        "9.6.1.2" => must(field(4, 4) == b"010\0", "version 30313000", || hex(field(4, 4))),
        "9.6.1.3" => must(usize_of(field(12, 2)) >= 1, "at least one image", || hex(field(12, 2))),
        // The number cannot be negative; the points must be there.
        "9.6.1.4" => must(record.len() > image, "as many feature points as the record says", || {
            format!("{points} in {} bytes", record.len())
        }),
        "9.6.2.1" => byte(image, &[1], "image type"),
        "9.6.2.2" => byte(image + 1, &[0, 1], "image data type"),
        "9.6.2.3" => byte(image + 6, &[1], "colour space"),
        _ => byte(image + 7, &[2, 6], "source type"),
    }
}

/// Rows of 9.7: the iris record (ISO/IEC 19794-6:2011).
pub(super) fn iris(id: &str, subject: &Subject<'_>) -> Check {
    let record = Biometric::read(IRIS, subject)?.record()?;
    let start = record.get(..8).unwrap_or_default();
    if id == "9.7.1" {
        must(start == b"IIR\x000020", "format identifier and version 4949520030303230", || hex(start))
    } else {
        let length = usize_of(record.get(8..12).unwrap_or_default());
        must(length == record.len(), "a length that is the record's", || {
            format!("{length} in {} bytes", record.len())
        })
    }
}
