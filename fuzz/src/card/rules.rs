//! What a card is held against after each command, besides what holds for every card.

use card_sim::store::Store;
use model::{ManagementKey, Model, persistent::Persistent};

use super::support::{MANAGEMENT_KEY, contents, persistent::persistent};

/// The numbers of retry counters.
const COUNTERS: std::ops::Range<u16> = 0x500..0x600;

/// The rules of one card.
#[derive(Clone)]
pub(crate) enum Rules {
    /// Who may do what, and what the card then holds.
    Model(Box<Model>),
    /// Of a YubiKey, whose dialect the model does not know: a command that is refused changes nothing but counters. What the
    /// card held before.
    Unchanged(contents::Contents),
}

impl Rules {
    pub(crate) fn of_model(store: &impl Store) -> Self {
        Self::Model(Box::new(Model::new(persistent(store), ManagementKey(MANAGEMENT_KEY))))
    }

    pub(crate) fn of_yubikey(store: &impl Store) -> Self {
        Self::Unchanged(but_counters(store))
    }

    /// Whether the card may answer so, and hold what it holds now.
    pub(crate) fn judge(
        &mut self,
        store: &impl Store,
        command: &[u8],
        data: &[u8],
        status: u16,
    ) -> Result<(), String> {
        match self {
            Self::Model(model) => {
                model.judge(command, data, status).map_err(|violation| violation.to_string())
            }
            Self::Unchanged(before) => {
                let after = but_counters(store);
                let done = matches!(status.to_be_bytes(), [0x90 | 0x61, _]);
                let before = std::mem::replace(before, after);
                if done || Self::Unchanged(before).holds(store) {
                    Ok(())
                } else {
                    Err("it was refused and changed something".into())
                }
            }
        }
    }

    /// What a card may hold whose power fails in this command.
    pub(crate) fn after_power_cut(&self, command: &[u8]) -> Vec<Persistent> {
        match self {
            Self::Model(model) => model.after_power_cut(command),
            Self::Unchanged(_) => Vec::new(),
        }
    }

    /// What a card may hold whose power fails between two commands.
    pub(crate) fn now(&self) -> Vec<Persistent> {
        match self {
            Self::Model(model) => vec![model.persistent().clone()],
            Self::Unchanged(_) => Vec::new(),
        }
    }

    /// The power has failed, and the card has come back: the rules from now on. The card's own tests say what may have become
    /// of a YubiKey.
    pub(crate) fn reopened(&self, store: &impl Store, states: &[Persistent], command: &[u8]) -> Self {
        match self {
            Self::Model(_) => {
                let found = persistent(store);
                assert!(states.contains(&found), "neither old nor new after a power cut in {command:02X?}");
                Self::of_model(store)
            }
            Self::Unchanged(_) => Self::of_yubikey(store),
        }
    }

    /// A reset, or a loss of power.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Model(model) => model.reset(),
            Self::Unchanged(_) => {}
        }
    }

    /// Whether the card holds what the rules say.
    pub(crate) fn holds(&self, store: &impl Store) -> bool {
        match self {
            Self::Model(model) => *model.persistent() == persistent(store),
            Self::Unchanged(contents) => *contents == but_counters(store),
        }
    }
}

fn but_counters(store: &impl Store) -> contents::Contents {
    let mut contents = contents::contents(store).expect("a readable flash");
    contents.retain(|number, _| !COUNTERS.contains(number));
    contents
}
