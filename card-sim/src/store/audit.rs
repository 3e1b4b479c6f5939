//! Whether a flash is, word by word, what the log leaves behind when nothing is under way.
//!
//! The log trusts its flash: it reads what it needs when it needs it, and a page header that has changed in silence is
//! noticed when that page is compacted, when it is too late. [`audit`] walks the whole log without writing, so that a
//! host can refuse a card file while it is still as it was. It knows the format of `wasefire-store` 0.3.2, "Page" and
//! "Entry" in that crate's documentation: a word is 32 bits, little-endian; a page begins with two words of its own;
//! checksums count bits that are 0.

use super::flash::{PAGE_SIZE, WORD_SIZE};

/// Words of a page that hold entries.
const PAGE_WORDS: u32 = 1022;

/// Most words at the begin of a page that belong to an entry of the page before: those of the longest entry.
const MAX_PREFIX: u32 = 256;

/// Words of a page before them: its place in the log, and the compaction that is under way.
const PAGE_HEADER: usize = 2;

const ERASED: u32 = u32::MAX;

/// Something is not as the log leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsound;

/// Checks a flash on which no operation is under way, as it is after [`FlashStore::open`](super::FlashStore::open).
pub fn audit(flash: &[u8]) -> Result<(), Unsound> {
    let flash = Words(flash);
    let pages = u32::try_from(flash.0.len() / PAGE_SIZE).map_err(|_| Unsound)?;
    let (first, last) = used_pages(flash, pages)?;
    let mut at = Position { page: first.turn, word: first.first_entry };
    let mut room = Room::new(pages, at).ok_or(Unsound)?;
    flash.require(pages, Position { page: first.turn, word: 0 }, first.first_entry, 0)?;
    loop {
        let word = flash.get(pages, at)?;
        if word == ERASED {
            break;
        }
        let length = entry_length(flash, pages, at, word)?;
        room.pass(word, length);
        let next = at.skip(length);
        if next.page > last {
            // It may end where the last page ends, and not beyond.
            if next.page == last.saturating_add(1) && next.word == 0 {
                return room.check(next);
            }
            return Err(Unsound);
        }
        if next.page > at.page {
            // An entry that was taken back is single words of zeros now, and the page still says where it ended.
            let first_entry = first_entry(flash, pages, next.page)?;
            flash.require(pages, next, first_entry.checked_sub(next.word).ok_or(Unsound)?, 0)?;
            room.turn(Position { word: first_entry, ..next });
        }
        at = next;
    }
    let rest = PAGE_WORDS.checked_sub(at.word).ok_or(Unsound)?;
    if at.page != last {
        return Err(Unsound);
    }
    flash.require(pages, at, rest, ERASED)?;
    room.check(at)
}

/// Whether the log can make room for itself: it erases its first page when it has copied what is in use there to its end,
/// and must never reach that page from behind.
///
/// That crate's documentation, "Compaction", proves it of all that the store writes. Words that changed behind the end of the
/// log look like a write that was cut, and move the end to where there was no room for one.
struct Room {
    begin: Position,
    /// Words in use before this page, and a word for each page that is erased.
    copied: u32,
    /// Words between the begin and the furthest end that leaves room.
    furthest: u32,
    window: u32,
}

impl Room {
    fn new(pages: u32, begin: Position) -> Option<Self> {
        let window = pages.checked_sub(1)?.checked_mul(PAGE_WORDS)?.checked_sub(MAX_PREFIX)?;
        Some(Self { begin, copied: 0, furthest: window, window })
    }

    /// An entry that begins with `word`.
    fn pass(&mut self, word: u32, length: u32) {
        if word & 0b111 == 0b101 {
            self.copied = self.copied.saturating_add(length);
        }
    }

    /// The first entry of the next page.
    fn turn(&mut self, first: Position) {
        self.copied = self.copied.saturating_add(1);
        let end = self.window.saturating_add(first.since(self.begin)).saturating_sub(self.copied);
        self.furthest = self.furthest.min(end);
    }

    fn check(&self, end: Position) -> Result<(), Unsound> {
        if end.since(self.begin) <= self.furthest { Ok(()) } else { Err(Unsound) }
    }
}

/// Whether some page begins like one that a store wrote. Tells a damaged card file from a file of another kind.
pub fn resembles_a_store(flash: &[u8]) -> bool {
    let pages = u32::try_from(flash.len().div_ceil(PAGE_SIZE)).unwrap_or(u32::MAX);
    (0..pages).any(|number| matches!(page_header(Words(flash), pages, number), Ok(Some(_))))
}

/// Length in words of the entry that begins with `word`.
fn entry_length(flash: Words<'_>, pages: u32, at: Position, word: u32) -> Result<u32, Unsound> {
    if word & 0b01 == 0 {
        return Ok(1);
    }
    if word & 0b10 != 0 {
        // An operation that is under way.
        return Err(Unsound);
    }
    let deleted = word & 0b100 == 0;
    let length = bits(word, 4, 10).div_ceil(4);
    if deleted {
        flash.require(pages, at.skip(1), length, 0)?;
    } else {
        let footer = if length == 0 { ERASED } else { flash.get(pages, at.skip(length))? };
        let zeros = (word | 0xFC00_0000).count_zeros().saturating_add(footer.count_zeros());
        if bits(word, 26, 6) != zeros {
            return Err(Unsound);
        }
    }
    Ok(length.saturating_add(1))
}

/// The first page of the log, and how often the log had turned to a new page when it turned to the last.
///
/// The pages between them follow each other in turn, and all others are blank.
fn used_pages(flash: Words<'_>, pages: u32) -> Result<(PageHeader, u32), Unsound> {
    let (mut first, mut last, mut used): (Option<PageHeader>, u32, u32) = (None, 0, 0);
    for number in 0..pages {
        let header = page_header(flash, pages, number)?;
        let Some(header) = header else {
            let start = Position { page: number, word: 0 };
            flash.require(pages, start, PAGE_WORDS, ERASED)?;
            continue;
        };
        used = used.saturating_add(1);
        last = last.max(header.turn);
        if first.is_none_or(|first| header.turn < first.turn) {
            first = Some(header);
        }
    }
    let first = first.ok_or(Unsound)?;
    // Turns of different pages differ, so that many of them within this distance are all of them.
    if last.checked_sub(first.turn) == used.checked_sub(1) { Ok((first, last)) } else { Err(Unsound) }
}

/// Where the first entry of a page begins that the log turned to at `turn`.
fn first_entry(flash: Words<'_>, pages: u32, turn: u32) -> Result<u32, Unsound> {
    let number = turn.checked_rem(pages).ok_or(Unsound)?;
    page_header(flash, pages, number)?.map(|header| header.first_entry).ok_or(Unsound)
}

/// The header of a page in use.
#[derive(Clone, Copy)]
struct PageHeader {
    /// How often the log had turned to a new page.
    turn: u32,
    /// The word with which the page's first entry begins.
    first_entry: u32,
}

fn page_header(flash: Words<'_>, pages: u32, number: u32) -> Result<Option<PageHeader>, Unsound> {
    let (place, compaction) = flash.page_header(number).ok_or(Unsound)?;
    if compaction != ERASED {
        return Err(Unsound);
    }
    if place == ERASED {
        return Ok(None);
    }
    let (cycle, first_entry) = (bits(place, 0, 16), bits(place, 16, 9));
    let sound = bits(place, 27, 5) == (place | 0xF800_0000).count_zeros() && first_entry <= MAX_PREFIX;
    let turn = cycle.checked_mul(pages).and_then(|turn| turn.checked_add(number)).ok_or(Unsound)?;
    if sound { Ok(Some(PageHeader { turn, first_entry })) } else { Err(Unsound) }
}

/// A word of the log: which turn of a page, which word of it.
#[derive(Clone, Copy)]
struct Position {
    page: u32,
    word: u32,
}

impl Position {
    /// So many words further on: at most one page.
    fn skip(self, words: u32) -> Self {
        let word = self.word.saturating_add(words);
        match word.checked_sub(PAGE_WORDS) {
            Some(word) => Self { page: self.page.saturating_add(1), word },
            None => Self { word, ..self },
        }
    }

    /// Words from an earlier one to this one.
    fn since(self, earlier: Self) -> u32 {
        let pages = self.page.saturating_sub(earlier.page);
        pages.saturating_mul(PAGE_WORDS).saturating_add(self.word).saturating_sub(earlier.word)
    }
}

#[derive(Clone, Copy)]
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn at(self, page: u32, word: usize) -> Option<u32> {
        let page = usize::try_from(page).ok()?.checked_mul(PAGE_SIZE)?;
        let start = page.checked_add(word.checked_mul(WORD_SIZE)?)?;
        Some(u32::from_le_bytes(*self.0.get(start..)?.first_chunk()?))
    }

    fn page_header(self, page: u32) -> Option<(u32, u32)> {
        Some((self.at(page, 0)?, self.at(page, 1)?))
    }

    fn get(self, pages: u32, at: Position) -> Result<u32, Unsound> {
        let page = at.page.checked_rem(pages).ok_or(Unsound)?;
        let word = usize::try_from(at.word).map_err(|_| Unsound)?.saturating_add(PAGE_HEADER);
        self.at(page, word).ok_or(Unsound)
    }

    /// So many words have this value.
    fn require(self, pages: u32, from: Position, count: u32, value: u32) -> Result<(), Unsound> {
        let all = (0..count).all(|word| self.get(pages, from.skip(word)) == Ok(value));
        if all { Ok(()) } else { Err(Unsound) }
    }
}

fn bits(word: u32, from: u32, count: u32) -> u32 {
    word.checked_shr(from).unwrap_or(0) & u32::MAX.checked_shr(32_u32.saturating_sub(count)).unwrap_or(0)
}
