//! States of cards, credentials and requests, and the one table of what may follow what.
//!
//! The names are those of HID's card management; the arrows are partly inferred (facts/CAC.md 9). Everything that changes a
//! state asks [`DeviceState::after`], [`CredentialState::after`] or [`RequestState::after`]; what is not in a table is refused with the
//! state and what was tried.

/// Declares an enumeration whose values have a name, in the database and for people.
macro_rules! named {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$inner])* #[serde(rename = $text)] $value,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$value),*];

            /// The name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }

            /// The one of this name.
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(in crate::cms) use named;
named! {
    /// The state of a card.
    DeviceState {
        /// In stock, nobody's.
        Available = "AVAILABLE",
        /// Somebody's, and still blank.
        Assigned = "ASSIGNED",
        /// Being written: the card is in no state to be used.
        InProduction = "IN PRODUCTION",
        /// Written, and waiting for its holder to choose a PIN.
        Produced = "PRODUCED",
        /// In use.
        Issued = "ISSUED",
        /// Suspended: locked, or a replacement was requested.
        Invalid = "INVALID",
        /// At its end.
        Terminated = "TERMINATED",
    }
}

named! {
    /// What happens to a card.
    DeviceEvent {
        /// It becomes somebody's.
        Assign = "assign",
        /// It becomes nobody's.
        Unassign = "unassign",
        /// Issuance begins to write.
        BeginIssuance = "begin issuance",
        /// Issuance is at its end, and the holder has the card.
        FinishIssuance = "finish issuance",
        /// Issuance is at its end, and the holder does not have the card yet.
        Produce = "produce",
        /// The holder gets the card and chooses a PIN.
        HandOver = "hand over",
        /// It is not to be used for now.
        Suspend = "suspend",
        /// It may be used again.
        Resume = "resume",
        /// It is not to be used any more.
        Terminate = "terminate",
        /// It is wiped for somebody else.
        Recycle = "recycle",
    }
}

named! {
    /// The state of a certificate and its key.
    CredentialState {
        /// Good.
        Issued = "ISSUED",
        /// On the revocation list for now, with the reason certificateHold.
        OnHold = "ON HOLD",
        /// On the revocation list for ever.
        Revoked = "REVOKED",
    }
}

named! {
    /// What happens to a credential.
    CredentialEvent {
        /// Not to be trusted for now.
        Hold = "hold",
        /// To be trusted again.
        Release = "release",
        /// Never to be trusted again.
        Revoke = "revoke",
    }
}

named! {
    /// The state of a request.
    RequestState {
        /// Waits for somebody to approve it.
        Pending = "PENDING",
        /// Waits for the card.
        Approved = "APPROVED",
        /// Not approved.
        Denied = "DENIED",
        /// Done.
        Executed = "EXECUTED",
        /// Tried in vain.
        Failed = "FAILED",
        /// Taken back.
        Cancelled = "CANCELLED",
        /// Not done in time.
        Expired = "EXPIRED",
    }
}

named! {
    /// What happens to a request.
    RequestEvent {
        /// An operator allows it.
        Approve = "approve",
        /// An operator refuses it.
        Deny = "deny",
        /// The card was updated.
        Execute = "execute",
        /// The card could not be updated.
        Fail = "fail",
        /// Whoever made it takes it back.
        Cancel = "cancel",
        /// Its time is over.
        Expire = "expire",
    }
}

named! {
    /// What a request is for.
    RequestKind {
        /// The first personalisation of a card.
        Issuance = "issuance",
        /// New keys and certificates in the place of old ones.
        Renewal = "renewal",
        /// One more key with a certificate.
        Addition = "addition",
        /// One key with its certificate less.
        Removal = "removal",
        /// The PIV Authentication certificate of an old Common Access Card.
        Activation = "activation",
        /// A new PIN for a card whose PIN is blocked or forgotten.
        Unlock = "unlock",
        /// The card is to refuse its PIN and its keys.
        Lock = "lock",
        /// Another card in the place of this one.
        Replacement = "replacement",
        /// The card is to be wiped for somebody else.
        Recycling = "recycling",
    }
}

named! {
    /// Why a card or a credential is replaced or taken back.
    Reason {
        /// Left at home: the holder gets a card for some days.
        Forgotten = "FORGOTTEN",
        /// Nobody knows where it is.
        Lost = "LOST",
        /// Somebody else has it.
        Stolen = "STOLEN",
        /// It does not work any more.
        Damaged = "DAMAGED",
        /// Its life is over.
        Expired = "EXPIRED",
        /// Something newer takes its place.
        Renew = "RENEW",
        /// None was given.
        None = "NONE",
    }
}

impl Reason {
    /// Whether a replacement for this reason is for some days only, and the old card comes back.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Forgotten)
    }
}

/// A rule of a table: from a state, by an event, to a state.
type Rule<State, Event> = (State, Event, State);

use CredentialEvent as Ce;
use CredentialState as Cs;
use DeviceEvent as De;
use DeviceState as Ds;
use RequestEvent as Re;
use RequestState as Rs;

/// What may happen to a card.
pub const DEVICE_TRANSITIONS: &[Rule<Ds, De>] = &[
    (Ds::Available, De::Assign, Ds::Assigned),
    (Ds::Assigned, De::Unassign, Ds::Available),
    (Ds::Assigned, De::BeginIssuance, Ds::InProduction),
    (Ds::InProduction, De::FinishIssuance, Ds::Issued),
    (Ds::InProduction, De::Produce, Ds::Produced),
    (Ds::Produced, De::HandOver, Ds::Issued),
    (Ds::Issued, De::Suspend, Ds::Invalid),
    (Ds::Invalid, De::Resume, Ds::Issued),
    (Ds::Assigned, De::Terminate, Ds::Terminated),
    (Ds::InProduction, De::Terminate, Ds::Terminated),
    (Ds::Produced, De::Terminate, Ds::Terminated),
    (Ds::Issued, De::Terminate, Ds::Terminated),
    (Ds::Invalid, De::Terminate, Ds::Terminated),
    (Ds::Terminated, De::Recycle, Ds::Available),
];

/// What may happen to a credential.
pub const CREDENTIAL_TRANSITIONS: &[Rule<Cs, Ce>] = &[
    (Cs::Issued, Ce::Hold, Cs::OnHold),
    (Cs::OnHold, Ce::Release, Cs::Issued),
    (Cs::Issued, Ce::Revoke, Cs::Revoked),
    (Cs::OnHold, Ce::Revoke, Cs::Revoked),
];

/// What may happen to a request.
pub const REQUEST_TRANSITIONS: &[Rule<Rs, Re>] = &[
    (Rs::Pending, Re::Approve, Rs::Approved),
    (Rs::Pending, Re::Deny, Rs::Denied),
    (Rs::Pending, Re::Cancel, Rs::Cancelled),
    (Rs::Pending, Re::Expire, Rs::Expired),
    (Rs::Approved, Re::Execute, Rs::Executed),
    (Rs::Approved, Re::Fail, Rs::Failed),
    (Rs::Approved, Re::Cancel, Rs::Cancelled),
    (Rs::Approved, Re::Expire, Rs::Expired),
];

/// In which states of a card a request of a kind may be made.
pub const REQUESTABLE: &[(RequestKind, &[Ds])] = &[
    (RequestKind::Issuance, &[Ds::Assigned]),
    (RequestKind::Renewal, &[Ds::Issued]),
    (RequestKind::Addition, &[Ds::Issued]),
    (RequestKind::Removal, &[Ds::Issued]),
    (RequestKind::Activation, &[Ds::Issued]),
    (RequestKind::Unlock, &[Ds::Issued, Ds::Invalid]),
    (RequestKind::Lock, &[Ds::Issued]),
    (RequestKind::Replacement, &[Ds::Issued]),
    (RequestKind::Recycling, &[Ds::Terminated]),
];

impl RequestKind {
    /// The states of a card in which it may be requested.
    pub fn states(self) -> &'static [Ds] {
        REQUESTABLE.iter().find(|(kind, _)| *kind == self).map_or(&[], |(_, states)| states)
    }
}

/// A transition that no table has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {state}, and a {noun} in this state cannot {event}; {}", in_words(possible))]
pub struct IllegalTransition {
    /// Which card, credential or request.
    pub what: String,
    noun: &'static str,
    /// Its state.
    pub state: &'static str,
    /// What was tried.
    pub event: &'static str,
    possible: Vec<&'static str>,
}

fn in_words(events: &[&str]) -> String {
    if events.is_empty() { "it is final".to_owned() } else { format!("possible: {}", events.join(", ")) }
}

/// Looks a transition up.
macro_rules! after {
    ($state:ty, $event:ty, $table:ident, $noun:literal) => {
        impl $state {
            /// The state after this event, if a rule allows it. `what` names the thing for people.
            pub fn after(self, event: $event, what: &str) -> Result<Self, IllegalTransition> {
                let rules = || $table.iter().filter(|(from, ..)| *from == self);
                match rules().find(|(_, by, _)| *by == event) {
                    Some((.., to)) => Ok(*to),
                    None => Err(IllegalTransition {
                        what: what.to_owned(),
                        noun: $noun,
                        state: self.name(),
                        event: event.name(),
                        possible: rules().map(|(_, by, _)| by.name()).collect(),
                    }),
                }
            }
        }
    };
}

after!(DeviceState, DeviceEvent, DEVICE_TRANSITIONS, "card");
after!(CredentialState, CredentialEvent, CREDENTIAL_TRANSITIONS, "credential");
after!(RequestState, RequestEvent, REQUEST_TRANSITIONS, "request");

impl RequestState {
    /// Whether something may still come of it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables once more, as a person reads facts/CAC.md 9.
    #[test]
    fn a_cards_life_is_the_one_that_is_documented() {
        let life = |events: &[DeviceEvent]| {
            events.iter().try_fold(Ds::Available, |state, event| state.after(*event, "the card"))
        };
        assert_eq!(life(&[De::Assign, De::BeginIssuance, De::FinishIssuance]), Ok(Ds::Issued));
        assert_eq!(life(&[De::Assign, De::BeginIssuance, De::Produce, De::HandOver]), Ok(Ds::Issued));
        assert_eq!(life(&[De::Assign, De::Unassign]), Ok(Ds::Available));
        let issued = [De::Assign, De::BeginIssuance, De::FinishIssuance];
        assert_eq!(life(&[&issued[..], &[De::Suspend, De::Resume]].concat()), Ok(Ds::Issued));
        assert_eq!(life(&[&issued[..], &[De::Suspend, De::Terminate]].concat()), Ok(Ds::Terminated));
        assert_eq!(life(&[&issued[..], &[De::Terminate, De::Recycle]].concat()), Ok(Ds::Available));
    }

    #[test]
    fn what_is_in_no_table_is_refused_with_what_would_be_possible() {
        let allowed = DEVICE_TRANSITIONS.len();
        let all = Ds::ALL.iter().flat_map(|state| De::ALL.iter().map(move |event| (*state, *event)));
        let refused = all.filter(|(state, event)| state.after(*event, "card 7").is_err()).count();
        assert_eq!(refused, Ds::ALL.len() * De::ALL.len() - allowed);
        let error = Ds::Available.after(De::Resume, "card 7").unwrap_err();
        assert_eq!(
            error.to_string(),
            "card 7 is AVAILABLE, and a card in this state cannot resume; possible: assign"
        );
        let error = Cs::Revoked.after(Ce::Release, "credential 3").unwrap_err();
        assert_eq!(
            error.to_string(),
            "credential 3 is REVOKED, and a credential in this state cannot release; it is final"
        );
    }

    #[test]
    fn a_request_is_done_only_after_it_was_approved() {
        assert!(Rs::Pending.after(Re::Execute, "request 1").is_err());
        for state in Rs::ALL {
            let ways = REQUEST_TRANSITIONS.iter().filter(|(from, ..)| from == state).count();
            assert_eq!(ways > 0, state.is_open(), "{state}");
        }
    }

    #[test]
    fn no_rule_stands_twice_and_names_are_found() {
        for (number, (from, by, _)) in DEVICE_TRANSITIONS.iter().enumerate() {
            let rest = &DEVICE_TRANSITIONS[number + 1..];
            assert!(!rest.iter().any(|(other, event, _)| (other, event) == (from, by)), "{from}, {by}");
        }
        assert!(Ds::ALL.iter().all(|state| Ds::find(state.name()) == Some(*state)));
        assert_eq!(RequestKind::find("renewal"), Some(RequestKind::Renewal));
        assert_eq!(RequestKind::find("nonsense"), None);
        assert!(RequestKind::ALL.iter().all(|kind| !kind.states().is_empty()));
    }
}
