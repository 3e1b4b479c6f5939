//! The second table: `known/authorisation.tsv`, and what its conditions mean.

use std::fs;

use vectors::files::own;

/// What is done to a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Read,
    Write,
    Verify,
    Change,
    Unblock,
    /// A new PIN from the card manager.
    NewPin,
    Use,
    Generate,
    Import,
    Select,
}

/// One row, with a range taken apart.
pub(crate) struct Row {
    pub(crate) deed: Deed,
    /// A tag, a key reference, or the beginning of an application's name.
    pub(crate) what: u64,
    contact: String,
    contactless: String,
    /// The bit of the PIN usage policy without which the card does not know it.
    needs: u8,
}

/// What is true of the moment in which something is done.
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the standard's conditions")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) antenna: bool,
    /// The first byte of the PIN usage policy.
    pub(crate) policy: u8,
    /// The command comes under secure messaging.
    pub(crate) sm: bool,
    /// It does, the card has the virtual contact interface, and the reader is paired or need not be.
    pub(crate) vci: bool,
    pub(crate) pin: bool,
    pub(crate) occ: bool,
    /// A PIN or a finger was verified by the command immediately before.
    pub(crate) just_now: bool,
    pub(crate) administrator: bool,
}

/// What a card answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is done: 9000.
    Done,
    /// 6982.
    NotSatisfied,
    /// 6A81: not through the antenna.
    NotSupported,
    /// 6A88: the card does not know the reference.
    NotFound,
    /// 6882: not under secure messaging, whose session ends.
    NotProtected,
}

/// The table.
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    protected: Vec<Deed>,
}

impl Table {
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(own("known/authorisation.tsv")).expect("the table is in this crate");
        let mut table = Self { rows: Vec::new(), protected: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.split('\t').collect::<Vec<_>>()[..] {
                ["protected", name] => table.protected.push(deed(name)),
                [name, range, contact, contactless, ref needs @ ..] => {
                    let (from, to) = range.split_once('-').unwrap_or((range, range));
                    let number = |hex: &str| u64::from_str_radix(hex, 16).expect("a number in hex");
                    let needs = needs.iter().fold(0, |_, bit| u8::from_str_radix(bit, 16).expect("a bit"));
                    table.rows.extend((number(from)..=number(to)).map(|what| Row {
                        deed: deed(name),
                        what,
                        contact: contact.to_owned(),
                        contactless: contactless.to_owned(),
                        needs,
                    }));
                }
                _ => panic!("a row of two, four or five columns: {line}"),
            }
        }
        table
    }

    /// What a card answers in this moment.
    pub(crate) fn verdict(&self, row: &Row, truth: Truth) -> Verdict {
        // Key 04 makes sessions, and none inside another.
        let protectable = self.protected.contains(&row.deed) && (row.deed, row.what) != (Deed::Use, 0x04);
        if truth.sm && !protectable {
            return Verdict::NotProtected;
        }
        if truth.policy & row.needs != row.needs {
            return Verdict::NotFound;
        }
        let condition = if truth.antenna { &row.contactless } else { &row.contact };
        match condition.as_str() {
            "not through it" => Verdict::NotSupported,
            condition if holds(condition, truth) => Verdict::Done,
            _ => Verdict::NotSatisfied,
        }
    }
}

fn deed(name: &str) -> Deed {
    match name {
        "read" => Deed::Read,
        "write" => Deed::Write,
        "verify" => Deed::Verify,
        "change" => Deed::Change,
        "unblock" => Deed::Unblock,
        "use" => Deed::Use,
        "new pin" => Deed::NewPin,
        "generate" => Deed::Generate,
        "import" => Deed::Import,
        "select" => Deed::Select,
        _ => panic!("nobody does {name}"),
    }
}

/// The conditions in the words of the standard.
fn holds(condition: &str, truth: Truth) -> bool {
    match condition {
        "Always" => true,
        "Never" => false,
        "SM" => truth.sm,
        "VCI" => truth.vci,
        "9B" => truth.administrator,
        "PIN" => truth.pin,
        "PIN or OCC" => truth.pin || truth.occ,
        "PIN Always or OCC Always" => truth.just_now,
        _ => match condition.strip_prefix("VCI and ") {
            Some(rest) => truth.vci && holds(rest.trim_matches(['(', ')']), truth),
            None => panic!("the standard has no condition {condition}"),
        },
    }
}
