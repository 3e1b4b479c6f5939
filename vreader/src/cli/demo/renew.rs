//! The story of certificates that come to their end and are renewed, and of mail that was encrypted for the old key (FLOWS rows 46 to
//! 48 and 57).

use super::{
    issue::{PIN, issued_card},
    message::Message,
    stage::Stage,
    state::LIST,
};
use crate::cli::Outcome;

/// Three years less a week after the card was issued.
const LATER: &str = "2028-12-28";

pub(super) fn tell(stage: &mut Stage<'_>) -> Outcome {
    issued_card(stage)?;
    stage.part("The first year: nothing is to be done")?;
    stage.done("vreader cms check --now 2026-11-02").says("no update is pending").changes_nothing().run()?;
    let message = Message::to_the_card(stage)?;
    stage.say(
        "Somebody sends Dana an encrypted message. The card makes the secret that opens it, with its encryption key 9D (SELECT, VERIFY, key agreement):",
    )?;
    message.opened_with(stage, 0x9D, PIN).changes_nothing().run()?;

    let old = stage.serial("Authentication");

    stage.part("Three years less a week: the certificates are nearly at their end")?;
    stage
        .done(format!("vreader card certs --now {LATER}"))
        .says("expires within 30 days")
        .changes_nothing()
        .run()?;
    stage
        .done(format!("vreader cms check --now {LATER}"))
        .says("pending for card 1: renewal")
        .leads_to("request 2 (renewal) for card 1", "APPROVED")
        .run()?;
    stage
        .done(format!("vreader cms update --pin {PIN} --now {LATER}"))
        .says("done: renew 9A, 9C, 9D, 9E")
        .leads_to("request 2 (renewal) for card 1", "EXECUTED")
        .run()?;
    for purpose in ["Authentication", "Signature", "Encryption", "Card Authentication"] {
        stage.insist(&format!("on the card: {purpose}"), "until 2031-12-27")?;
    }
    stage.insist("on the card: Retired Encryption 1", "until 2029-01-04")?;

    stage.part("Afterwards")?;
    stage
        .done(format!("vreader cms check --now {LATER}"))
        .says("no update is pending")
        .changes_nothing()
        .run()?;
    stage
        .done(format!("vreader cms show 1 --now {LATER}"))
        .says("REVOKED (RENEW)")
        .changes_nothing()
        .run()?;
    stage
        .done(format!("vreader cms compare --pin {PIN} --now {LATER}"))
        .says("agree")
        .changes_nothing()
        .run()?;
    stage.say("Nobody accepts the old certificate for signing in: it is on the revocation list, and the new one is not.")?;
    stage
        .done(format!("vreader cms crl --out {LIST} --now {LATER}"))
        .leads_to(format!("{LIST}: certificate {old}"), "Superseded")
        .run()?;
    let new = stage.serial("Authentication");
    stage.insist(&format!("{LIST}: certificate {new}"), "-")?;
    stage.say("The new encryption key makes another secret of the old message:")?;
    message.stays_closed(stage, 0x9D, PIN)?;
    stage.say("The old key is among the retired ones, 82, and opens it as before:")?;
    message.opened_with(stage, 0x82, PIN).changes_nothing().run()?;
    Ok(())
}
