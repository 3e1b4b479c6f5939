//! What a reader knows of the card in its slot.

mod card;

pub use card::InsertedCard;
