//! BeginTransaction, EndTransaction, and who waits.

use super::{Script, check};

#[test]
fn begin() {
    check(&[
        (
            "failing reader",
            "card insert; A connect shared T1 = T1; reader fails; A begin = ReaderUnavailable",
        ),
        (
            "failing comes before notices",
            "card insert; A connect shared T1 = T1; card remove; reader fails; A begin = ReaderUnavailable",
        ),
        (
            "after a reset",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B disconnect reset; A begin = ResetCard",
        ),
        ("after a removal", "card insert; A connect shared T1 = T1; card remove; A begin = RemovedCard"),
        ("free", "card insert; A connect shared T1 = T1; A begin; A end leave; A end leave = NotTransacted"),
        (
            "nested",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; A begin; A end leave
             B status = SharingViolation; A end leave; B status; A end leave = NotTransacted",
        ),
        (
            "waits",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; B begin = waits
             A end leave; B again; A status = SharingViolation",
        ),
        (
            "another handle of the same client is another handle",
            "card insert; A connect shared T1 = T1; A2 connect shared T1 = T1; A begin; A2 begin = waits",
        ),
        (
            "in the order of asking, and nobody goes before those who wait",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; C connect shared T1 = T1
             A begin; B begin = waits; C begin = waits; A end leave
             A begin = waits; C again = waits; B again; B end leave
             A again = waits; C again; C end leave; A again",
        ),
        (
            "who gives up keeps his place for when he asks again",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; C connect shared T1 = T1
             A begin; B begin = waits; C begin = waits; B gives up; B begin = waits; A end leave
             C again = waits; B again",
        ),
        (
            "nobody waits for who gave up",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; C connect shared T1 = T1
             A begin; B begin = waits; C begin = waits; B gives up; A end leave; C again",
        ),
        (
            "who waits when the card leaves",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; B begin = waits
             card remove; B again = RemovedCard",
        ),
        (
            "who waits when the reader is unplugged",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; B begin = waits
             reader unplug; B again = InvalidValue",
        ),
        ("directly, without a card", "A connect direct none = none; A begin; A end leave"),
    ]);
}

#[test]
fn end() {
    check(&[
        ("disposition 4", "card insert; A connect shared T1 = T1; A begin; A end 4 = InvalidValue; A end leave"),
        ("never begun", "card insert; A connect shared T1 = T1; A end leave = NotTransacted"),
        (
            "another's",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; B end leave = SharingViolation
             B end reset = SharingViolation; A transmit T1 = 00A49000",
        ),
        (
            "notices come first",
            "card insert; A connect shared T1 = T1; A begin; card remove; A end leave = RemovedCard",
        ),
        (
            "reset: the own handle is told, too",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; diary = on; A end reset; diary = reset
             state = 34 2 none 1; A status = ResetCard; B status = ResetCard",
        ),
        (
            "unpower: off and on again",
            "card insert; A connect shared T1 = T1; A begin; A end unpower; diary = on off on; state = 34 1 none 1
             A status = ResetCard",
        ),
        ("eject: nothing", "card insert; A connect shared T1 = T1; A begin; A end eject; A status; diary = on"),
        (
            "reset and never begun: the card is reset all the same",
            "card insert; A connect shared T1 = T1; A end reset = NotTransacted; A status = ResetCard; diary = on reset",
        ),
        (
            "reset without a card",
            "A connect direct none = none; A begin; A end reset = RemovedCard; A status; A end leave = NotTransacted",
        ),
        (
            "reset of a mute card",
            "card insert mute; A connect direct none = none; A begin; A end reset = NotTransacted; state = 0C 1 none 1",
        ),
        (
            "reset waits for a command; the transaction goes on as long",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B borrow T1; A begin; A end reset = waits
             B2 connect shared T1 = waits; B returns; B2 again = waits; A again; B status = ResetCard
             B2 again = T1",
        ),
        (
            "exclusive: its own transaction cannot be ended",
            "card insert; A connect exclusive T1 = T1; A end leave = NotTransacted; A begin; A end leave
             A end leave = NotTransacted; A status",
        ),
    ]);
}

#[test]
fn who_waits_is_woken() {
    let three = "card insert; A connect shared T1 = T1; B connect shared T1 = T1; C connect shared T1 = T1;";
    for (title, script) in [
        ("nobody without a reason", "A begin; B begin = waits; A status; A transmit T1 = 00A49000; ready ="),
        ("the first, by the end", "A begin; B begin = waits; C begin = waits; A end leave; ready = B"),
        ("the next, by who gives up", "A begin; B begin = waits; C begin = waits; B gives up; ready =; A end leave; ready = C"),
        ("by a disconnect", "A begin; B begin = waits; A disconnect leave; ready = B"),
        ("by a death", "A begin; B begin = waits; A dies; ready = B; B again = ResetCard"),
        ("all, by a reset", "A begin; B begin = waits; C begin = waits; card reset; ready = B C; B again = ResetCard"),
        ("all, by a removal", "A begin; B begin = waits; D connect shared T1 = waits; card remove; ready = B D; B again = RemovedCard; ready = D; D again = NoSmartcard"),
        ("all, by unplugging", "A begin; B begin = waits; reader unplug; ready = B; B again = InvalidValue"),
        ("all, by a failure", "A begin; B begin = waits; reader fails; ready = B; B again = ReaderUnavailable"),
        ("by a command's end", "A borrow T1; B transmit T1 = waits; C transmit T1 = waits; A returns; ready = B"),
        ("who waits for the card, by a transaction", "A borrow T1; B transmit T1 = waits; A2 connect direct none = T1; A2 begin; ready = B; B again = SharingViolation"),
        ("who waits for the card, by another protocol", "A borrow T1; B transmit T1 = waits; C reconnect shared RAW leave = RAW; ready = B; B again = ProtocolMismatch"),
        (
            "who waits to connect, by exclusiveness",
            "B disconnect leave; C disconnect leave; A begin; D connect shared T1 = waits; A reconnect exclusive T1 leave = T1
             ready = D; D again = SharingViolation",
        ),
        (
            "and does not go before who waits for the card in his turn",
            "A borrow T1; B disconnect reset = waits; C begin = waits; A returns; ready = B; C again = waits; B again
             ready = C; C again = ResetCard",
        ),
    ] {
        Script::run(title, &format!("{three} {script}"));
    }
}

#[test]
fn who_waits_for_an_empty_reader_is_woken_when_it_is_unplugged() {
    Script::run(
        "by unplugging",
        "A connect direct none = none; B connect direct none = none; A begin; B begin = waits; reader unplug
         ready = B; B again = InvalidValue",
    );
}
