//! GET DATA and Discovery (SP 800-73-5 part 1, 3.3.2 and table 2; part 2, 3.1.2).

use card_sim::{object::CONTAINERS, security::AccessRule};

use super::{Assertion, Need, PinPolicy, Trial, Tried, check, one_of};
use crate::check::{
    evidence::{Found, is_mandatory},
    outcome::{failed, not_applicable},
    rows::container_name,
};

pub(super) const ROWS: &[Assertion] = &[
    Assertion {
        id: "02.03a",
        about: "GET DATA",
        text: "The mandatory objects that everybody may read are there",
        needs: &[],
        run: |trial| {
            for tag in [0x5F_C107, 0x5F_C102, 0x5F_C105, 0x5F_C106, 0x5F_C101] {
                if let Found::Refused(status) = trial.get_data(tag)? {
                    return Ok(failed(container_name(tag), format!("{status:04X}"))?);
                }
            }
            Ok(())
        },
    },
    Assertion {
        id: "02.03b",
        about: "GET DATA",
        text: "A tag that no object has is answered with 6A82",
        needs: &[],
        // 5FC104 is not assigned, and 5FCF20 is outside the PIV tags.
        run: |trial| {
            for tag in [0x5F_C104, 0x5F_CF20] {
                let found = trial.get_data(tag)?;
                check(
                    found == Found::Refused(0x6A82),
                    || format!("6A82 for {tag:06X}"),
                    || format!("{found:X?}"),
                )?;
            }
            Ok(())
        },
    },
    Assertion {
        id: "05.12Aa",
        about: "GET DATA",
        text: "Objects that need the PIN are refused without it",
        needs: &[],
        run: |trial| protected(trial, false),
    },
    Assertion {
        id: "05.12Ab",
        about: "GET DATA",
        text: "Objects that need the PIN are read with it",
        needs: &[Need::Pin],
        run: |trial| protected(trial, true),
    },
    Assertion {
        id: "05.12Ac",
        about: "GET DATA",
        text: "Over the contactless interface only what everybody may read there is read",
        needs: &[Need::Contactless],
        run: contactless,
    },
    Assertion {
        id: "05.13",
        about: "VERIFY",
        text: "The Global PIN can be verified if the Discovery Object says so, and only then",
        needs: &[],
        run: |trial| {
            let promised = trial.policy().is_some_and(PinPolicy::global_pin);
            reference(trial, 0x00, promised)
        },
    },
    Assertion {
        id: "05.13A-R4",
        about: "VERIFY",
        text: "Fingers are compared on the card if the Discovery Object says so, and only then",
        needs: &[],
        run: |trial| {
            let promised = trial.policy().is_some_and(PinPolicy::on_card_comparison);
            reference(trial, 0x96, promised)
        },
    },
    Assertion {
        id: "05.13B-R4",
        about: "VERIFY",
        text: "The pairing code can be verified if the Discovery Object says so, and only then",
        needs: &[],
        run: |trial| match trial.policy() {
            Some(policy) if policy.virtual_contact() && !policy.pairing_code() => {
                Ok(not_applicable("the virtual contact interface needs no pairing code on this card")?)
            }
            policy => reference(trial, 0x98, policy.is_some_and(PinPolicy::pairing_code)),
        },
    },
];

/// Objects behind the PIN: 6982 without it, also for those that are not there if the card likes.
fn protected(trial: &mut Trial<'_>, with_pin: bool) -> Tried {
    if with_pin {
        trial.log_in()?;
    }
    for container in &CONTAINERS {
        if !matches!(container.contact_read, AccessRule::Pin | AccessRule::PinOrOcc) {
            continue;
        }
        let (tag, name) = (container.tag.get(), container.name);
        let found = trial.get_data(tag)?;
        let there = matches!(found, Found::Object(_)) || is_mandatory(tag);
        let right = match (&found, with_pin) {
            (Found::Object(_), with_pin) => with_pin,
            (Found::Refused(0x6A82), _) => !there,
            (Found::Refused(0x6982), with_pin) => !with_pin,
            (Found::Refused(_), _) => false,
        };
        let wanted = if with_pin { "the object, or 6A82" } else { "6982" };
        check(
            right,
            || format!("{wanted} for {name}"),
            || match found {
                Found::Object(_) => "the object".to_owned(),
                Found::Refused(status) => format!("{status:04X}"),
            },
        )?;
    }
    Ok(())
}

fn contactless(trial: &mut Trial<'_>) -> Tried {
    for container in &CONTAINERS {
        let found = trial.get_data(container.tag.get())?;
        let free = container.contactless_read == AccessRule::Always;
        let right = match found {
            Found::Object(_) => free,
            // Absent, or refused because it is not for this interface.
            Found::Refused(0x6A82) => true,
            Found::Refused(status) => !free && status == 0x6982,
        };
        check(
            right,
            || {
                let wanted = if free { "the object" } else { "6982" };
                format!("{wanted} for {}", container.name)
            },
            || match found {
                Found::Object(_) => "the object".to_owned(),
                Found::Refused(status) => format!("{status:04X}"),
            },
        )?;
    }
    Ok(())
}

/// VERIFY without data for a key reference: 6A88 exactly if the card has no such thing.
fn reference(trial: &mut Trial<'_>, reference: u8, promised: bool) -> Tried {
    let what = format!("VERIFY for key reference {reference:02X} without data");
    let status = trial.status([0x00, 0x20, 0x00, reference], &[])?;
    if promised {
        check(
            status != 0x6A88,
            || format!("its status to {what}: the Discovery Object promises it"),
            || format!("{status:04X}"),
        )
    } else {
        one_of(status, &[0x6A88], &format!("{what}: the Discovery Object does not promise it"))
    }
}
