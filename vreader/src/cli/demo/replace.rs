//! The story of a card that was forgotten, and of the same card when it was lost (FLOWS rows 51 and 52).

use super::{
    issue::{BEGIN, PIN, issued_card},
    message::Message,
    stage::Stage,
    state::LIST,
};
use crate::cli::Outcome;

pub(super) fn tell(stage: &mut Stage<'_>) -> Outcome {
    issued_card(stage)?;
    let message = Message::to_the_card(stage)?;
    let old = format!("{LIST}: certificate {}", stage.serial("Authentication"));
    stage.say("Two more blank cards come into stock:")?;
    stage.prepare(&[
        "vreader card new --blank spare.card",
        "vreader ctl swap --card spare.card",
        &format!("vreader cms register --now {BEGIN}"),
        "vreader card new --blank second.card",
        "vreader ctl swap --card second.card",
        &format!("vreader cms register --now {BEGIN}"),
    ])?;
    forgotten(stage, &message, &old)?;
    lost(stage, &message, &old)
}

/// `old` is the row about the old certificate for signing in on the revocation list.
fn forgotten(stage: &mut Stage<'_>, message: &Message, old: &str) -> Outcome {
    stage.part("Monday: the card is at home; a temporary one takes its place")?;
    stage
        .done("vreader cms request replacement 1 --reason forgotten --now 2026-03-02")
        .leads_to("card 1", "INVALID")
        .run()?;
    stage.done("vreader cms show 1 --now 2026-03-02").says("ON HOLD (FORGOTTEN)").changes_nothing().run()?;
    stage
        .say("Nobody should accept its certificates meanwhile: they are on the revocation list, on hold.")?;
    stage
        .done(format!("vreader cms crl --out {LIST} --now 2026-03-02"))
        .leads_to(old, "CertificateHold")
        .run()?;
    stage.done("vreader ctl swap --card spare.card").leads_to("in the reader", "card 2").run()?;
    stage
        .done("vreader cms assign 2 --replaces 1 --now 2026-03-02")
        .says("temporary")
        .leads_to("card 2", "ASSIGNED")
        .run()?;
    stage
        .done("vreader cms issue --pin 135790 --now 2026-03-02")
        .leads_to("card 2", "ISSUED")
        .leads_to("card 2, last day", "2026-03-16")
        .leads_to("card 1", "INVALID")
        .run()?;
    stage.say(
        "The encryption key was recovered onto it, as its first retired key: mail from last week opens.",
    )?;
    message.opened_with(stage, 0x82, "135790").changes_nothing().run()?;

    stage.part("Wednesday: the card is back, and works again")?;
    stage
        .done("vreader cms terminate 2 --now 2026-03-04")
        .leads_to("card 2", "TERMINATED")
        .leads_to("card 1", "ISSUED")
        .run()?;
    stage.say("Its certificates are on the list no more; those of the temporary card are, for ever:")?;
    stage.done(format!("vreader cms crl --out {LIST} --now 2026-03-04")).leads_to(old, "-").run()?;
    stage.insist_on(4, LIST)?;
    stage.say("The temporary card is wiped, and goes back into stock:")?;
    stage
        .done("vreader cms recycle --now 2026-03-04")
        .says("done: recycle")
        .leads_to("card 2", "AVAILABLE")
        .run()?;
    stage.insist_on(0, "on the card: ")?;
    stage.done("vreader ctl swap --card dana.card").leads_to("in the reader", "card 1").run()?;
    stage
        .done(format!("vreader cms compare --pin {PIN} --now 2026-03-04"))
        .says("agree")
        .changes_nothing()
        .run()?;
    Ok(())
}

fn lost(stage: &mut Stage<'_>, message: &Message, old: &str) -> Outcome {
    stage.part("June: the card is lost, and another one takes its place for ever")?;
    stage
        .done("vreader cms request replacement 1 --reason lost --now 2026-06-01")
        .leads_to("card 1", "INVALID")
        .run()?;
    stage.done("vreader ctl swap --card second.card").leads_to("in the reader", "card 3").run()?;
    stage.done("vreader cms assign 3 --replaces 1 --now 2026-06-01").leads_to("card 3", "ASSIGNED").run()?;
    stage
        .done("vreader cms issue --pin 975310 --now 2026-06-01")
        .leads_to("card 3", "ISSUED")
        .leads_to("card 1", "TERMINATED")
        .run()?;
    stage.done("vreader cms show 1 --now 2026-06-01").says("REVOKED (LOST)").changes_nothing().run()?;
    stage.say("Whoever looks at the list refuses the lost card from now on:")?;
    stage
        .done(format!("vreader cms crl --out {LIST} --now 2026-06-01"))
        .leads_to(old, "KeyCompromise")
        .run()?;
    stage.say("The old mail opens with the new card:")?;
    message.opened_with(stage, 0x82, "975310").changes_nothing().run()?;

    stage.part("Somebody finds the lost card")?;
    stage.done("vreader ctl swap --card dana.card").leads_to("in the reader", "card 1").run()?;
    stage
        .refused("vreader cms unlock --new-pin 111222 --now 2026-06-08")
        .says("card 1 is TERMINATED")
        .changes_nothing()
        .run()?;
    stage
        .refused("vreader cms renew --pin 111222 --now 2026-06-08")
        .says("card 1 is TERMINATED")
        .changes_nothing()
        .run()?;
    Ok(())
}
