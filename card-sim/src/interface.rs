//! The two ways to reach a card: contacts and the contactless interface (SP 800-73-5 part 1, 2.4).

/// Through which interface the card has its power, and gets its commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub enum Interface {
    /// The contacts.
    #[default]
    Contact,
    /// The antenna. Much may be done through the virtual contact interface only, some things not at all.
    Contactless,
}
